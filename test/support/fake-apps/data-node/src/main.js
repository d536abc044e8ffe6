require('../../app.cjs')('LEVEE_NODE_HTTP_PORT');

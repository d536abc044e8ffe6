require('../../app.cjs')('LEVEE_HTTP_PORT');

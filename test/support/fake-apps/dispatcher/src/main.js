require('../../app.cjs')('LEVEE_DISPATCHER_PORT');

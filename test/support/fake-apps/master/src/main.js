require('../../app.cjs')('LEVEE_MASTER_PORT');

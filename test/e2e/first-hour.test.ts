import { walkThrough } from '../support/page-walk';

walkThrough({ name: 'first-hour.md', tasks: 14 });

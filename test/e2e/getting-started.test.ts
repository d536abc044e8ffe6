import { type Varying, walkThrough } from '../support/page-walk';

const varies: readonly Varying[] = [
  [/^\d+ reads/gm, 'N reads'],
  [/^(topicId: ).*/gm, '$1…'],
];

walkThrough({ name: 'getting-started.md', tasks: 9, topics: ['prices'], varies });

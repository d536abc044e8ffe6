import { encodePut } from '@levee/codec';
import { asOffset } from '@levee/kernel';
import { noHeaders } from '@levee/log';
import { framingsOf } from '../src/value-framing';

const key = Buffer.from('k');

test.each([
  ['put', encodePut(key, Buffer.from('v'), null)],
  ['confluent', Buffer.from('000000002a0102', 'hex')],
  ['json', Buffer.from('{"price":7}')],
  ['json', Buffer.from('7')],
  ['text', Buffer.from('größe')],
  ['text', Buffer.alloc(0)],
  ['bytes', Buffer.from('ff00', 'hex')],
] as const)('a value looks like %s', (framing, value) => {
  const record = { offset: asOffset(0), timestampMs: 0, key, value, headers: noHeaders };
  const none = { put: 0, confluent: 0, json: 0, text: 0, bytes: 0 };
  expect(framingsOf([record, { ...record, value: null }, { ...record, key: null }])).toEqual({ ...none, [framing]: 1 });
});

import { Shares } from './shares';

it('one address has a part of the places, all together have them all; one that is given back is free again', () => {
  const shares = new Shares('readers follow the log', { max: 5, ofOneMax: 3 });
  const own = [1, 2, 3].map(() => shares.take('a'));
  expect(() => shares.take('a')).toThrow(
    '3 readers follow the log through this portal from a, at most that many may from one address',
  );
  shares.take('b');
  shares.take('c');
  expect(() => shares.take('d')).toThrow('5 readers follow the log through this portal, at most that many may');
  for (let i = 0; i < 3; i++) own[0]!();
  shares.take('a');
  expect(() => shares.take('a')).toThrow('at most that many may');
});

it('one address of IPv6 is its /64: whoever has one has them all', () => {
  const shares = new Shares('readers follow the log', { max: 5, ofOneMax: 2 });
  const own = shares.take('2001:db8:1:2::1');
  shares.take('2001:db8:1:2::2');
  expect(() => shares.take('2001:db8:1:2:3:4:5:6')).toThrow('from 2001:db8:1:2::/64, at most that many may');
  shares.take('2001:db8:1:3::1');
  shares.take('::ffff:10.0.0.1');
  shares.take('::ffff:10.0.0.2');
  own();
  shares.take('2001:db8:1:2::7');
});

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

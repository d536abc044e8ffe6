import { Listeners } from './listeners';
import { silentLogger } from './logger';

test('a listener that throws is logged and keeps nobody else from hearing', () => {
  const said: string[] = [];
  const heard: number[] = [];
  const listeners = new Listeners<number>(
    { ...silentLogger, error: (_fields, message) => void said.push(message) },
    'decisions',
  );
  listeners.add(() => {
    throw new Error('broken');
  });
  const end = listeners.add((value) => void heard.push(value));
  listeners.tell(1);
  end();
  listeners.tell(2);
  expect(heard).toEqual([1]);
  expect(said).toEqual(['a listener to decisions failed', 'a listener to decisions failed']);
});

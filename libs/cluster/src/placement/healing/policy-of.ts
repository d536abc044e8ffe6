import { type HealingPolicy, healingPolicy } from './healing-policy';

const settings = ['settleMs', 'coolDownMs', 'hotChunkPerSecond', 'hotNodePerSecondMin'] as const;

/**
 * The rules with other figures: the four settings of a dispatcher (`settleMs`, `coolDownMs`, `hotChunkPerSecond`,
 * `hotNodePerSecondMin`), and any field of {@link HealingPolicy} by its name, as in `{"hotChunk": {"enter": 20000, "leave":
 * 14000}}`. Words when it is none; throws InvariantViolation for rules under which something could go back and forth.
 */
export function healingPolicyOf(value: unknown): HealingPolicy | { readonly problem: string } {
  if (!isObject(value)) return { problem: 'a policy is a JSON object' };
  const own: Record<string, number> = {};
  for (const name of settings) {
    if (value[name] === undefined) continue;
    if (!isFigure(value[name]))
      return { problem: `${name} is ${JSON.stringify(value[name])}, it must be a number from 0` };
    own[name] = value[name];
  }
  const policy = healingPolicy(own);
  const rest = Object.entries(value).filter(([name]) => !settings.some((each) => each === name));
  const merged = mergedWith(policy, Object.fromEntries(rest), '');
  if ('problem' in merged) return { problem: String(merged['problem']) };
  return healingPolicy(own, merged as unknown as HealingPolicy);
}

function mergedWith(base: object, over: Readonly<Record<string, unknown>>, path: string): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(over)) {
    const known = Object.hasOwn(merged, name) ? merged[name] : undefined;
    const full = `${path}${name}`;
    if (known === undefined) return { problem: `a policy has no '${full}': there are ${Object.keys(base).join(', ')}` };
    if (isObject(known)) {
      if (!isObject(value)) return { problem: `${full} must be an object of ${Object.keys(known).join(', ')}` };
      const inner = mergedWith(known, value, `${full}.`);
      if ('problem' in inner) return inner;
      merged[name] = inner;
    } else if (isFigure(value)) merged[name] = value;
    else return { problem: `${full} is ${JSON.stringify(value)}, it must be a number from 0` };
  }
  return merged;
}

const isFigure = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

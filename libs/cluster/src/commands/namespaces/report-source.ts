import { reject } from '../../rejection';
import { stamp, type Decider } from '../decider';

/** What may be found wrong with a source topic; `none` ends a finding that can be mended. */
const findings = ['none', 'missing', 'recreated', 'grown', 'cut', 'policy'] as const;

/** Of these the topic cannot recover: what is served is another log than the one that was bound, or not all of it. */
const lasting: ReadonlySet<string> = new Set(['recreated', 'grown', 'cut']);

/**
 * `{name, number, finding, problem?}`: the master's own, when what it sees of the topic that a namespace is bound to has
 * changed. A finding that nothing mends stays, whatever is seen afterwards: only another one of that kind replaces it.
 */
export const reportSource: Decider = (state, fields, context) => {
  const name = fields.text('name');
  const number = fields.integer('number', { min: 1, max: 2 ** 31 - 1 });
  const finding = fields.choice('finding', findings);
  const problem = fields.optional('problem', (field) => fields.text(field, 2_000), null);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const namespace = state.namespace(name);
  if (namespace?.number !== number || namespace.state !== 'active' || namespace.sourceTopic === null)
    return reject('NAMESPACE_UNKNOWN', `there is no active namespace ${name}#${number} that is bound to a topic`);
  if ((finding === 'none') !== (problem === null))
    return reject('BAD_COMMAND', `the finding ${finding} of ${name} ${problem === null ? 'has no' : 'has a'} problem`);
  const { sourceFinding, sourceProblem } = namespace;
  if (lasting.has(sourceFinding) && !lasting.has(finding)) return [];
  if (finding === sourceFinding && problem === sourceProblem) return [];
  const found = { sourceFinding: finding, sourceProblem: problem, ...stamp(context, 'SourceFindingChanged') };
  return [{ kind: 'namespace', entity: { ...namespace, ...found } }];
};

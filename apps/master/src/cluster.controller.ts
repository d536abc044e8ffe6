import { Controller, Get, Param, Query } from '@nestjs/common';
import {
  describeNamespace,
  viewNamespaces,
  viewNodes,
  viewRoutes,
  viewUnits,
  type Rejection,
  unknownNode,
} from '@levee/cluster';
import { Failure } from '@levee/kernel';
import { Master } from '@levee/master';

/** What is in force, as this master has read it; a standby answers the same. */
@Controller('v1')
export class ClusterController {
  constructor(private readonly master: Master) {}

  @Get('status')
  status() {
    const { view, candidacy } = this.master;
    const { position, digest } = view.journal;
    return {
      role: candidacy.role,
      clusterId: view.clusterId ?? null,
      term: position.term,
      seq: position.seq,
      digest,
      journalOffset: position.nextOffset,
      commandsOffset: position.commandsOffset,
      master: candidacy.master ?? null,
      claim: view.claim ?? null,
      counts: view.state.counts,
      boot: view.boot ?? null,
      voidRecords: view.stats().voidRecords,
      foreignRecords: view.stats().foreignRecords,
      projectedSeq: candidacy.reign?.projections.seq ?? null,
      advice: this.master.topicAdvice,
      problems: [
        view.problem ?? candidacy.problem,
        this.master.topicProblem,
        this.master.effectProblem,
        this.master.nodesProblem,
        this.master.plansProblem,
      ].filter(Boolean),
    };
  }

  @Get('namespaces')
  namespaces() {
    return { namespaces: viewNamespaces(this.master.view.state) };
  }

  @Get('namespaces/:name')
  namespace(@Param('name') name: string) {
    return found(describeNamespace(this.master.view.state, name));
  }

  @Get('routes/:name')
  routes(@Param('name') name: string, @Query('version') version?: string) {
    return found(viewRoutes(this.master.view.state, name, version === undefined ? undefined : versionOf(version)));
  }

  @Get('nodes')
  nodes() {
    return { nodes: viewNodes(this.master.view.state) };
  }

  @Get('nodes/:nodeId/units')
  units(@Param('nodeId') nodeId: string) {
    const { state } = this.master.view;
    if (state.node(nodeId) === undefined) throw new Failure('NODE_UNKNOWN', unknownNode(state, nodeId).message);
    return { units: viewUnits(state, nodeId) };
  }
}

function found<T extends object>(answer: T | Rejection): T {
  if (isRejection(answer)) throw new Failure(answer.code, answer.message);
  return answer;
}

const isRejection = (answer: object): answer is Rejection => 'code' in answer && 'message' in answer;

function versionOf(text: string): number {
  const version = Number(text);
  if (/^[0-9]+$/.test(text) && Number.isSafeInteger(version)) return version;
  throw new Failure('BAD_REQUEST', `version is '${text}', it must be a whole number: take it from an earlier answer`);
}

import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { doctorLimits } from '@levee/audit';
import { KeyValue } from '@levee/client';
import {
  describeNamespace,
  type NamespaceDescription,
  namespaceQuery,
  simulateCreation,
  unitBudget,
  unknownNode,
  viewKnobs,
  viewNamespaces,
  viewNodes,
  viewRoutes,
  viewUnits,
  waitAlarms,
} from '@levee/cluster';
import { hashOf, partitionOf, slotOf } from '@levee/keyspace';
import { systemClock } from '@levee/log';
import {
  Doctor,
  FilesOfNodes,
  found,
  NamespaceWaits,
  Portal,
  Proofs,
  refusal,
  SourceLooks,
  knobsLookedFor,
  type SourceQuestion,
} from '@levee/portal';
import { CommandDoor, jsonBody, demandRight, principalOf } from '@levee/service-kit';
import { keyOf } from './raw-url';
import { confirmName, switchOf, wholeNumber } from './request-choices';

/** What is in force, as this portal has read it. */
@ApiTags('cluster')
@Controller('v1')
export class ClusterController {
  constructor(
    private readonly portal: Portal,
    private readonly keyValue: KeyValue,
    private readonly commands: CommandDoor,
    private readonly waits: NamespaceWaits,
    private readonly doctor: Doctor,
    private readonly files: FilesOfNodes,
    private readonly proofs: Proofs,
    private readonly sources: SourceLooks,
  ) {}

  @Get('status')
  @ApiOperation({ summary: 'Master, nodes, namespaces and positions as this portal sees them, of what one may know' })
  async status(@Req() request: FastifyRequest) {
    const { view, config, authenticator } = this.portal;
    const { state } = view;
    const asker = principalOf(request);
    const operates = asker.may('operate');
    return {
      portal: { instance: config.instance, resp: this.portal.respAddress, problem: this.portal.readyProblem() ?? null },
      /** How old what it knows of users is, and until when it believes that; null: it asks nobody who he is. */
      users: authenticator ? { ageMs: authenticator.ageMs, believedMs: authenticator.believedMs } : null,
      clusterId: view.clusterId ?? null,
      term: view.term,
      seq: view.seq,
      master: this.activeMaster() ?? null,
      counts: state.counts,
      /** No master, and plans that wait for others for too long: `levee doctor` and `levee plan show` have more. */
      alarms: operates
        ? [...this.journalAlarm(), ...this.masterAlarm(), ...waitAlarms(state, systemClock.nowMs())]
        : [],
      /** How far replicas are proved against the log: `levee audit proofs` has each chunk. */
      proof: operates ? this.proofs.summary() : null,
      nodes: await Promise.all(
        (operates ? viewNodes(state) : []).map(async ({ node, units, replicas }) => ({
          nodeId: node.nodeId,
          state: node.state,
          cordoned: node.cordoned,
          maintenanceUntil: this.doctor.maintenanceUntil(node.nodeId),
          units,
          replicas,
          files: node.state === 'up' ? await this.files.of(node.nodeId, node.httpAddress) : null,
        })),
      ),
      namespaces: viewNamespaces(state)
        .filter(({ name }) => asker.knows(name))
        .map(({ name, state: is, partitions, chunks, replicas, frozenBy }) => {
          const store = this.portal.store.namespace(name);
          const routeVersion = store?.table?.version ?? null;
          const problem = store?.problem ?? null;
          return { name, state: is, partitions, chunks, replicas, routeVersion, problem, frozenBy };
        }),
    };
  }

  @Get('namespaces')
  @ApiOperation({ summary: 'All namespaces, or those that a query selects' })
  @ApiQuery({
    name: 'query',
    required: false,
    description: 'names with wildcards: * within a segment, ** for any number of segments, as in shop.* or shop.**',
  })
  namespaces(@Req() request: FastifyRequest, @Query('query') query?: string) {
    const principal = principalOf(request);
    const all = viewNamespaces(this.portal.view.state).filter(({ name }) => principal.knows(name));
    if (query === undefined || query === '') return { namespaces: all };
    const selects = found(namespaceQuery(query));
    return { namespaces: all.filter(({ name }) => selects(name)) };
  }

  @Post('namespaces')
  @HttpCode(201)
  @ApiOperation({
    summary: 'Creates a namespace; answers when it is active. With dryRun=1 says what it would be, and changes nothing',
  })
  @ApiBody({
    schema: {
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string' } },
      additionalProperties: true,
    },
  })
  @ApiResponse({ status: 201, description: 'the namespace, once it is there' })
  @ApiResponse({ status: 409, description: 'NAMESPACE_EXISTS' })
  @ApiQuery({ name: 'dryRun', required: false, enum: ['0', '1', 'false', 'true'] })
  async create(
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Query('dryRun') dryRun?: string,
  ) {
    const knobs = jsonBody(body);
    demandRight(request, 'admin', String(knobs['name']));
    // Whoever may bind a topic may read it, with the rights that Levee has in Kafka.
    const isBound = (knobs['sourceTopic'] ?? null) !== null;
    if (isBound) demandRight(request, 'operate');
    const { state } = this.portal.view;
    if (switchOf(dryRun, 'dryRun')) {
      const topicPrefix = this.portal.config.topics.prefix;
      const { budget, ...described } = found(
        simulateCreation(state, isBound ? knobsLookedFor(knobs) : knobs, { nowMs: systemClock.nowMs(), topicPrefix }),
      );
      void reply.status(200);
      const units = { taken: described.totals.units, ...budget };
      if (!isBound) return { ...shownNamespace(described), units };
      const source = await this.sources.look(questionIn(knobs));
      const { partitions } = source;
      const namespace = { ...described.namespace, partitions };
      return { ...shownNamespace({ ...described, namespace }), units, source };
    }
    await this.commands.run({ kind: 'CreateNamespace', payload: knobs, principal: principalOf(request).name });
    const name = String(knobs['name']);
    await this.waits.untilActive(name);
    const created = this.namespace(name);
    return { ...created, units: { taken: created.totals.units, ...unitBudget(state) } };
  }

  @Get('namespaces/:name')
  @ApiOperation({ summary: 'Configuration and what it may be, chunks, how other Kafka producers must be set up' })
  namespace(@Param('name') name: string) {
    return shownNamespace(found(describeNamespace(this.portal.view.state, name)));
  }

  @Patch('namespaces/:name')
  @ApiOperation({ summary: 'Changes settings of a namespace; null takes a limit away' })
  @ApiBody({ schema: { type: 'object', additionalProperties: true } })
  @ApiResponse({ status: 200, description: 'the namespace as it is now' })
  @ApiResponse({ status: 422, description: 'KNOB_FIXED: the setting cannot change, and why' })
  async alter(@Param('name') name: string, @Body() body: unknown, @Req() request: FastifyRequest) {
    const payload = { ...jsonBody(body), name };
    await this.commands.run({ kind: 'AlterNamespace', payload, principal: principalOf(request).name });
    return this.namespace(name);
  }

  @Delete('namespaces/:name')
  @ApiOperation({ summary: 'Deletes a namespace with all its keys; answers when its binlog is gone' })
  @ApiQuery({ name: 'number', required: false, description: 'only this creation of the name' })
  @ApiQuery({ name: 'confirm', required: false, description: 'the name once more; or header Levee-Confirm' })
  @ApiHeader({ name: 'Levee-Confirm', required: false, description: 'the name once more' })
  async delete(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Query('number') number?: string,
    @Query('confirm') confirm?: string,
  ) {
    confirmName(name, request, confirm);
    const which = wholeNumber(number, 'number', { min: 1, max: 2 ** 31 - 1 });
    const payload = { name, ...(which === undefined ? {} : { number: which }) };
    await this.commands.run({ kind: 'DeleteNamespace', payload, principal: principalOf(request).name });
    return this.waits.untilDeleted(name);
  }

  @Post('nodes/:nodeId/maintenance')
  @HttpCode(200)
  @ApiOperation({ summary: 'Lets a node be away for a while: it is neither suspect nor lost' })
  @ApiBody({ schema: { type: 'object', required: ['forMs'], properties: { forMs: { type: 'integer' } } } })
  async maintain(@Param('nodeId') nodeId: string, @Body() body: unknown, @Req() request: FastifyRequest) {
    const payload = { ...jsonBody(body), nodeId };
    await this.commands.run({ kind: 'MaintainNode', payload, principal: principalOf(request).name });
    return this.node(nodeId);
  }

  @Delete('nodes/:nodeId/maintenance')
  @ApiOperation({ summary: 'Ends a maintenance: the node is suspect until it is heard' })
  async endMaintenance(@Param('nodeId') nodeId: string, @Req() request: FastifyRequest) {
    await this.commands.run({ kind: 'EndMaintenance', payload: { nodeId }, principal: principalOf(request).name });
    return this.node(nodeId);
  }

  @Post('nodes/:nodeId/cordon')
  @HttpCode(200)
  @ApiOperation({ summary: 'Keeps new replicas away from a node, until the cordon is deleted' })
  async cordon(@Param('nodeId') nodeId: string, @Req() request: FastifyRequest) {
    await this.commands.run({ kind: 'CordonNode', payload: { nodeId }, principal: principalOf(request).name });
    return this.node(nodeId);
  }

  @Delete('nodes/:nodeId/cordon')
  @ApiOperation({ summary: 'Lets a node take replicas again, after a cordon or a drain' })
  async uncordon(@Param('nodeId') nodeId: string, @Req() request: FastifyRequest) {
    await this.commands.run({ kind: 'UncordonNode', payload: { nodeId }, principal: principalOf(request).name });
    return this.node(nodeId);
  }

  @Get('nodes')
  @ApiOperation({ summary: 'All data nodes' })
  nodes() {
    const nodes = viewNodes(this.portal.view.state);
    return { nodes: nodes.map(({ node, ...rest }) => ({ ...node, ...this.maintenanceOf(node.nodeId), ...rest })) };
  }

  @Get('nodes/:nodeId/units')
  @ApiOperation({ summary: 'The storage units of a node' })
  units(@Param('nodeId') nodeId: string) {
    const { state } = this.portal.view;
    if (state.node(nodeId) === undefined) throw refusal(unknownNode(state, nodeId));
    return { units: viewUnits(state, nodeId) };
  }

  @Get('routes/:namespace')
  @ApiOperation({ summary: 'Routes (change: metaChange), or that a version is the newest (change: notChange)' })
  @ApiQuery({ name: 'version', required: false, description: 'the version of an earlier answer' })
  routes(@Param('namespace') name: string, @Query('version') version?: string) {
    const known = wholeNumber(version, 'version', { min: 0, max: Number.MAX_SAFE_INTEGER });
    return found(viewRoutes(this.portal.view.state, name, known));
  }

  @Get('where/:namespace/:key')
  @ApiOperation({ summary: 'Hash, partition, slot, chunk and replicas of a key' })
  @ApiParam({ name: 'key', description: 'percent-encoded bytes' })
  where(@Param('namespace') name: string, @Req() request: FastifyRequest) {
    const namespace = this.keyValue.namespace(name);
    const { partitions, hashAlgorithm, binlog } = namespace.state;
    const hash = hashOf(keyOf(request.originalUrl), hashAlgorithm);
    const slot = slotOf(hash, partitions);
    const route = namespace.table?.at(slot);
    return {
      namespace: name,
      binlog,
      hash,
      partition: partitionOf(hash, partitions),
      slot,
      chunkId: route?.chunkId ?? null,
      slotStart: route?.slotStart ?? null,
      slotEnd: route?.slotEnd ?? null,
      version: route?.seq ?? null,
      replicas: (route?.readable ?? []).map(({ nodeId, replicaId, role, target }) => ({
        nodeId,
        unit: replicaId,
        role,
        respAddress: target.link.address.respAddress,
        usable: target.link.usable,
      })),
    };
  }

  /** It explains why there is no master. */
  private journalAlarm(): string[] {
    const { short } = this.portal.view;
    return short === undefined ? [] : [short];
  }

  /** Who claimed last, unless it fell silent. */
  private activeMaster(): string | undefined {
    return this.masterSilentMs() === undefined ? this.portal.view.claim?.instance : undefined;
  }

  /** How long no master was heard, once that is too long. */
  private masterSilentMs(): number | undefined {
    const { heard } = this.portal;
    const last = [...heard.all('master')].at(-1)?.beat.id;
    const silentMs = last === undefined ? undefined : heard.silentMs('master', last);
    return silentMs === undefined || silentMs < doctorLimits.listenMs ? undefined : silentMs;
  }

  private masterAlarm(): string[] {
    const silentMs = this.masterSilentMs();
    if (silentMs === undefined) return [];
    return [
      `no master was heard for ${Math.round(silentMs / 1_000)} s: nothing can be created, changed or failed over`,
    ];
  }

  private node(nodeId: string) {
    const { node, ...rest } = viewNodes(this.portal.view.state).find((one) => one.node.nodeId === nodeId) ?? {};
    if (node === undefined) throw refusal(unknownNode(this.portal.view.state, nodeId));
    return { ...node, ...this.maintenanceOf(nodeId), ...rest };
  }

  private maintenanceOf(nodeId: string): { maintenanceUntil: string | null } {
    return { maintenanceUntil: this.doctor.maintenanceUntil(nodeId) };
  }
}

function questionIn(knobs: Readonly<Record<string, unknown>>): SourceQuestion {
  const {
    hashAlgorithm = null,
    recordFormat = null,
    expireWithRetention = false,
    writable = false,
  } = knobs as Partial<SourceQuestion>;
  const asked = { name: String(knobs['name']), topic: String(knobs['sourceTopic']) };
  return { ...asked, hashAlgorithm, recordFormat, expireWithRetention, writable };
}

function shownNamespace({ namespace, chunks, ...rest }: NamespaceDescription) {
  return { ...namespace, ...rest, knobs: viewKnobs(namespace), placement: chunks };
}

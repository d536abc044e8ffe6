import { storedKeyBytesMax } from '@levee/chunk-store';
import { storeLimits } from '@levee/client';
import { avroJsonLimits } from '@levee/codec';
import { binlogLimits } from '@levee/journal';
import {
  decodedBytesMax,
  globBytesMax,
  keyShownBytesMax,
  logReaderLimits,
  planReportLimits,
  schemaRegistryLimits,
} from '@levee/portal';
import { commandDoorLimits, httpLimits } from '@levee/service-kit';
import {
  attributeBytesMax,
  handshakeLimits,
  nodeProtocolLimits,
  respServerLimits,
  strangerRequestLimits as stranger,
} from '@levee/wire';
import { httpLimits as bodyLimits } from './http-door';
import { routeWatchLimits } from './watch.controller';

export interface DoorLimit {
  readonly name: string;
  readonly value: number;
  readonly unit: 'bytes' | 'ms' | 'connections' | 'commands' | 'reads' | 'others';
  /** What is bounded, why so, and what happens there. */
  readonly why: string;
}

const resp = respServerLimits;
const limit = (name: string, value: number, unit: DoorLimit['unit'], why: string): DoorLimit => ({
  name,
  value,
  unit,
  why,
});

/** What one client of a door may have, for people: the settings beside them are in `levee config`. */
export const doorLimits: Readonly<Record<string, readonly DoorLimit[]>> = {
  'A connection to the RESP door': [
    limit(
      'connectionsMax',
      resp.connectionsMax,
      'connections',
      'as `maxclients` of Redis, and of one address (of IPv6 its first 64 bits) as `LEVEE_CONNECTIONS_PER_ADDRESS` says; who has not said who he is gives way to one more, where authentication is on, else it is refused with its error',
    ),
    limit(
      'strangerMs',
      resp.strangerMs,
      'ms',
      'where the door asks who somebody is: who has not said it for so long, or failed to, is hung up on',
    ),
    limit('strangerRequestBytesMax', stranger.requestBytesMax, 'bytes', 'one command of such a stranger'),
    limit(
      'strangerBulkBytesMax',
      stranger.bulkBytesMax,
      'bytes',
      'one argument of it, and one that is typed in a line',
    ),
    limit('strangerArgumentsMax', stranger.argumentsMax, 'others', 'arguments of it'),
    limit('handshakeMs', handshakeLimits.handshakeMs, 'ms', 'until a TLS handshake is over, at HTTP doors too'),
    limit(
      'handshakesMax',
      handshakeLimits.handshakesMax,
      'others',
      'TLS handshakes under way at a door; more are hung up on at once',
    ),
    limit(
      'handshakesOfAddressMax',
      handshakeLimits.handshakesOfAddressMax,
      'others',
      'of one address (of IPv6 its first 64 bits), the same',
    ),
    limit(
      'attributeBytesMax',
      attributeBytesMax,
      'bytes',
      'name of a client, of its library, and version: they are kept as long as the connection, and stand in `CLIENT LIST`',
    ),
    limit(
      'bulkBytesMax',
      resp.bulkBytesMax,
      'bytes',
      'one argument, `proto-max-bulk-len`; above the value that is kept, so that one is refused by name',
    ),
    limit('keyShownBytesMax', keyShownBytesMax, 'bytes', 'of a key in the message of an error'),
    limit('argumentsMax', resp.argumentsMax, 'others', 'arguments of one command'),
    limit('requestBytesMax', resp.requestBytesMax, 'bytes', 'one command'),
    limit(
      'inputAheadBytes',
      resp.inputAheadBytes,
      'bytes',
      'commands sent ahead of their replies, `client-query-buffer-limit`: then the connection is not read on, and replies may take as much',
    ),
    limit('pipelineMax', resp.pipelineMax, 'commands', 'begun and not answered; the next ones wait'),
    limit('pipelineBytesMax', resp.pipelineBytesMax, 'bytes', 'arguments of those; the next ones wait'),
    limit(
      'deferredCommandsMax',
      resp.deferredCommandsMax,
      'commands',
      'queued by `MULTI`; more are refused, and `EXEC` then carries out nothing',
    ),
    limit('deferredBytesMax', resp.deferredBytesMax, 'bytes', 'of those; the same'),
    limit(
      'deferredSilentMs',
      resp.deferredSilentMs,
      'ms',
      'without a word from a client that has queued commands; the connection is closed, and nothing of them is carried out',
    ),
    limit('turnCommandsMax', resp.turnCommandsMax, 'commands', 'begun before other connections have their turn'),
    limit('turnsMs', resp.turnsMs, 'ms', 'in which connections have their turns before what has arrived is looked at'),
    limit(
      'turnInputBytesMax',
      resp.turnInputBytesMax,
      'bytes',
      'of large input are read between two such rounds; then its connections are read on in turns',
    ),
    limit('outputPauseBytes', resp.outputPauseBytes, 'bytes', 'replies that are not taken; the next commands wait'),
    limit('outputBytesMax', resp.outputBytesMax, 'bytes', 'replies that are not taken; the connection is closed'),
    limit(
      'slowClientMs',
      resp.slowClientMs,
      'ms',
      'nothing of its replies was taken for so long, and 1 ms more for 64 of their bytes: it is closed',
    ),
    limit(
      'unfinishedMs',
      resp.unfinishedMs,
      'ms',
      'a command did not come to its end, the same: it is closed with the reason',
    ),
    limit(
      'crowdedPauseBytes',
      resp.crowdedPauseBytes,
      'bytes',
      'under way at a time while all together hold more than `LEVEE_NETWORK_BUDGET`',
    ),
    limit(
      'crowdedSlowMs',
      resp.crowdedSlowMs,
      'ms',
      'then who holds more, and takes nothing for so long, is closed; at twice the budget whoever holds most',
    ),
    limit('globBytesMax', globBytesMax, 'bytes', 'pattern of `SCAN` and `CONFIG GET`'),
    limit(
      'cursorsOfOneMax',
      storeLimits.cursorsOfOneMax,
      'others',
      `cursors of \`SCAN\`, of ${storeLimits.cursorsMax} of all: then its oldest is forgotten`,
    ),
  ],
  'Reads and scans of a portal': [
    limit(
      'readsAtOnceMax',
      storeLimits.readsAtOnceMax,
      'reads',
      'asked of nodes at a time; the others have their turn by connection',
    ),
    limit(
      'readBytesAtOnceMax',
      storeLimits.readBytesAtOnceMax,
      'bytes',
      'their values, as far as can be told beforehand',
    ),
    limit('readsOfOneMax', storeLimits.readsOfOneMax, 'reads', 'of one connection at a time'),
    limit(
      'readSmallBytes',
      storeLimits.readSmallBytes,
      'bytes',
      'who has no more under way need not wait for others; larger values come over a connection of their own',
    ),
    limit(
      'readWindowBytes',
      storeLimits.readWindowBytes,
      'bytes',
      'their values; and of replies that it has not taken, from which on it is not read for',
    ),
    limit(
      'readTurnMs',
      storeLimits.readTurnMs,
      'ms',
      'a read or a page of a scan whose turn does not come fails with `LVLIMIT`',
    ),
    limit(
      'readReplyBytesMax',
      nodeProtocolLimits.readReplyBytesMax,
      'bytes',
      'one answer of a node, or one value; what finds no room is asked for again',
    ),
    limit(
      'writeMarksOfNamespaceMax',
      storeLimits.writeMarksOfNamespaceMax,
      'others',
      'groups of keys of one namespace, 8 bytes each, of which the position of the latest write is remembered: at 20,000 writes a second, applied within 10 ms, one session read of 80 waits for the write of another key',
    ),
    limit(
      'writeMarksMax',
      storeLimits.writeMarksMax,
      'others',
      'the same of all namespaces that were written to (32 MiB); beyond it each partition is one group',
    ),
    limit('pagesAtOnceMax', storeLimits.pagesAtOnceMax, 'others', 'pages of scans asked of nodes at a time'),
    limit(
      'pagesWaitingMax',
      storeLimits.pagesWaitingMax,
      'others',
      'more do not wait for that: `LVLIMIT` at once; doors have fewer connections',
    ),
    limit(
      'scansMax',
      storeLimits.scansMax,
      'others',
      'ordered scans under way; one of which nothing was read for `scanIdleMs` gives way',
    ),
    limit('scanIdleMs', storeLimits.scanIdleMs, 'ms', 'see there'),
    limit(
      'keysListedMax',
      storeLimits.keysListedMax,
      'others',
      'keys that `KEYS` looks at, else it is refused: it would hold up its connection, and its reply is held whole',
    ),
    limit('keysListedBytesMax', storeLimits.keysListedBytesMax, 'bytes', 'of the keys that it gives'),
    limit(
      'keysCountedMax',
      storeLimits.keysCountedMax,
      'others',
      'keys that are counted for `DBSIZE` and `INFO keyspace`; of more, the nodes tell what their last sweep counted',
    ),
    limit('countKeptMs', storeLimits.countKeptMs, 'ms', 'a count is told again, so that it costs no scan each time'),
    limit('scansHeldBytesMax', storeLimits.scansHeldBytesMax, 'bytes', 'pages that all of them hold, besides one each'),
  ],
  'Writes of a portal': [
    limit(
      'appendsAtOnceBytesMax',
      storeLimits.appendsAtOnceBytesMax,
      'bytes',
      'given to the log at a time; the others have their turn by connection, of HTTP by request',
    ),
    limit('appendsOfOneBytesMax', storeLimits.appendsOfOneBytesMax, 'bytes', 'of one connection at a time'),
    limit(
      'appendSmallBytes',
      storeLimits.appendSmallBytes,
      'bytes',
      'whoever has no more under way need not wait, up to twice as much of all',
    ),
    limit(
      'appendMs',
      storeLimits.appendMs,
      'ms',
      'a write that was not sent to the log by then fails with `LVDEFINITE`',
    ),
    limit(
      'appendQueueBytesMax',
      storeLimits.appendQueueBytesMax,
      'bytes',
      'that wait: from half of it on who has much under way begins no more; beyond it who has more than an equal part is told `LVLIMIT`',
    ),
    limit('appendQueueRecordsMax', storeLimits.appendQueueRecordsMax, 'others', 'the same, in writes'),
    limit(
      'flushesAtOnceMax',
      storeLimits.flushesAtOnceMax,
      'others',
      'flushes under way; the others wait for `readTurnMs`',
    ),
    limit('flushesWaitingMax', storeLimits.flushesWaitingMax, 'others', 'such that wait; more are told `LVLIMIT`'),
  ],
  'Records of other Kafka producers': [
    limit(
      'messageBytesMax',
      binlogLimits.messageBytesMax,
      'bytes',
      '`max.message.bytes` of a binlog: one batch, unpacked as well; the broker refuses more with `MESSAGE_TOO_LARGE`',
    ),
    limit(
      'keyBytesMax',
      storeLimits.keyBytesMax,
      'bytes',
      'no door can ask for a longer key; scans give it, and a flush deletes it',
    ),
    limit(
      'storedKeyBytesMax',
      storedKeyBytesMax,
      'bytes',
      'a longer key is not stored: its record is in `levee.quarantine` as `tooLarge`, and `levee doctor` tells of it',
    ),
  ],
  'A connection to an HTTP door': [
    limit(
      'connectionsMax',
      httpLimits.connectionsMax,
      'connections',
      'more are hung up on at once; of one address as for RESP',
    ),
    limit('headMs', httpLimits.headMs, 'ms', 'until the head of a request is there, else 408'),
    limit('requestMs', httpLimits.requestMs, 'ms', 'until its last byte is there, else 408'),
    limit('bodyBytesMax', bodyLimits.bodyBytesMax, 'bytes', 'a body at the portal, else 413'),
    limit('jsonDepthMax', httpLimits.jsonDepthMax, 'others', 'levels of arrays and objects in a body, else 400'),
    limit('untakenMs', httpLimits.untakenMs, 'ms', 'nothing of its answer was taken for so long: it is closed'),
    limit(
      'crowdedMs',
      httpLimits.crowdedMs,
      'ms',
      'while all together hold more than the budget: who holds more than `smallBytes` and has moved less than that for so long is closed, and larger bodies are refused with 429',
    ),
    limit('smallBytes', httpLimits.smallBytes, 'bytes', 'see there'),
    limit(
      'drainMs',
      httpLimits.drainMs,
      'ms',
      'from the close of the door until who has not taken an answer is hung up on',
    ),
    limit('unusedMs', httpLimits.unusedMs, 'ms', 'the same for who has asked for nothing on this connection'),
    limit(
      'perSecond',
      commandDoorLimits.perSecond,
      'commands',
      'to the control plane, of one address a second, else 429 after `refusedAfterMs` and nothing is written',
    ),
    limit('refusedAfterMs', commandDoorLimits.refusedAfterMs, 'ms', 'see there'),
    limit(
      'followersOfOneMax',
      logReaderLimits.followersOfOneMax,
      'others',
      `readers that follow the log from one address (as above), of ${logReaderLimits.followersMax}`,
    ),
    limit(
      'watchesOfOneMax',
      planReportLimits.watchesOfOneMax,
      'others',
      `watches of plans from one address (as above), of ${planReportLimits.watchesMax}`,
    ),
    limit(
      'watchersOfOneMax',
      routeWatchLimits.watchersOfOneMax,
      'others',
      `watches of routes from one address (as above), of ${routeWatchLimits.watchersMax}`,
    ),
  ],
  'Values as JSON': [
    limit('decodedBytesMax', decodedBytesMax, 'bytes', 'a larger value stays bytes, with the reason'),
    limit('charsMax', avroJsonLimits.charsMax, 'others', 'characters of the JSON of one value; the same'),
    limit('itemsMax', avroJsonLimits.itemsMax, 'others', 'items of all arrays and maps of one value; the same'),
    limit('depthMax', avroJsonLimits.depthMax, 'others', 'values inside values; the same'),
    limit(
      'deadlineMs',
      schemaRegistryLimits.deadlineMs,
      'ms',
      'that a read waits for a schema which is not known here yet; then its value stays bytes, and the registry is left alone for `downMs`',
    ),
    limit('downMs', schemaRegistryLimits.downMs, 'ms', 'see there'),
    limit('missingMs', schemaRegistryLimits.missingMs, 'ms', 'before a schema that was not there is asked for again'),
    limit(
      'askedMax',
      schemaRegistryLimits.askedMax,
      'others',
      'schemas asked for at a time; others are not waited for',
    ),
    limit('keptMax', schemaRegistryLimits.keptMax, 'others', 'schemas kept; the oldest goes'),
    limit('schemaBytesMax', schemaRegistryLimits.schemaBytesMax, 'bytes', 'one schema'),
    limit('referencesMax', schemaRegistryLimits.referencesMax, 'others', 'schemas that one refers to, directly or not'),
  ],
};

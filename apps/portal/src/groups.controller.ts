import { Controller, Get, Param } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { viewGroup, viewGroups, type ChunkFigures } from '@levee/cluster';
import { found, Portal } from '@levee/portal';

/** Prefixes of namespaces, with what is below them. */
@ApiTags('cluster')
@Controller('v1/groups')
export class GroupsController {
  constructor(private readonly portal: Portal) {}

  @Get()
  @ApiOperation({ summary: 'Every prefix that has namespaces below it, with totals' })
  groups() {
    return { groups: viewGroups(this.portal.view.state, this.figuresOf) };
  }

  @Get(':group')
  @ApiOperation({ summary: 'One prefix: its totals and its namespaces' })
  group(@Param('group') group: string) {
    return found(viewGroup(this.portal.view.state, group, this.figuresOf));
  }

  private readonly figuresOf = (chunkId: string): ChunkFigures => {
    const load = this.portal.store.loads.known(chunkId);
    if (load === undefined) return { storedBytes: undefined, liveKeys: undefined };
    let storedBytes = 0;
    for (const replica of load.replicas.values()) storedBytes += replica.storedBytes;
    return { storedBytes, liveKeys: load.liveKeys };
  };
}

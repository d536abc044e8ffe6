import { Controller, Get } from '@nestjs/common';
import { DataNode } from '@levee/data-node';

/** What this node holds, for people; the same as LV.STAT. */
@Controller('v1/node')
export class NodeController {
  constructor(private readonly node: DataNode) {}

  @Get()
  describe(): object {
    return this.node.describe();
  }
}

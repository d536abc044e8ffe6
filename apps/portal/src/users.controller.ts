import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Req } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { hashPassword, newToken, secretLimits } from '@levee/auth';
import { viewUser, viewUsers, type UserView } from '@levee/cluster';
import { Failure } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { Portal } from '@levee/portal';
import { CommandDoor, jsonBody, principalOf } from '@levee/service-kit';

type Fields = Readonly<Record<string, unknown>>;

const object = { schema: { type: 'object' as const, additionalProperties: true } };
const tokenLifeMsMax = 10 * 365 * 86_400_000;

/** Users, their rights and tokens. Passwords and tokens stop here: commands carry their hashes. */
@ApiTags('users')
@Controller('v1')
export class UsersController {
  constructor(
    private readonly portal: Portal,
    private readonly commands: CommandDoor,
  ) {}

  @Get('whoami')
  @ApiOperation({ summary: 'Who makes this request, as the door has proved it' })
  whoami(@Req() request: FastifyRequest) {
    return { name: principalOf(request).name };
  }

  @Get('users')
  @ApiOperation({ summary: 'Users, their rights and tokens; of secrets only that they are there' })
  users() {
    return { users: viewUsers(this.portal.view.state) };
  }

  @Post('users')
  @HttpCode(201)
  @ApiOperation({ summary: 'Creates a user: name, password, defaultNamespace, grants [{right, namespaces}]' })
  @ApiBody(object)
  async create(@Body() body: unknown, @Req() request: FastifyRequest): Promise<UserView> {
    const fields = await hashed(jsonBody(body));
    await this.run('CreateUser', fields, request);
    return this.user(String(fields['name']));
  }

  @Get('users/:name')
  @ApiOperation({ summary: 'One user' })
  user(@Param('name') name: string): UserView {
    const user = this.portal.view.state.user(name);
    if (user !== undefined) return viewUser(user);
    throw new Failure('USER_UNKNOWN', `there is no user '${name.slice(0, 80)}': levee user list shows them`);
  }

  @Patch('users/:name')
  @ApiOperation({ summary: 'Changes password, defaultNamespace or state (active, disabled); null takes away' })
  @ApiBody(object)
  async alter(@Param('name') name: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<UserView> {
    await this.run('AlterUser', { ...(await hashed(jsonBody(body))), name }, request);
    return this.user(name);
  }

  @Delete('users/:name')
  @ApiOperation({ summary: 'Deletes a user with its rights and tokens' })
  async delete(@Param('name') name: string, @Req() request: FastifyRequest) {
    await this.run('DeleteUser', { name }, request);
    return { name, state: 'deleted' };
  }

  @Post('users/:name/grant')
  @HttpCode(200)
  @ApiOperation({ summary: 'Gives rights: grants [{right, namespaces}]' })
  @ApiBody(object)
  async grant(@Param('name') name: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<UserView> {
    await this.run('GrantRights', { ...jsonBody(body), name }, request);
    return this.user(name);
  }

  @Post('users/:name/revoke')
  @HttpCode(200)
  @ApiOperation({ summary: 'Takes rights away, as they were given: grants [{right, namespaces}]' })
  @ApiBody(object)
  async revoke(@Param('name') name: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<UserView> {
    await this.run('RevokeRights', { ...jsonBody(body), name }, request);
    return this.user(name);
  }

  @Post('users/:name/tokens')
  @HttpCode(201)
  @ApiOperation({ summary: 'Makes a token, told this once: expiresInMs' })
  @ApiBody(object)
  async token(@Param('name') name: string, @Body() body: unknown, @Req() request: FastifyRequest) {
    this.user(name);
    const { expiresInMs, ...others } = jsonBody(body);
    const lifeMs = expiresInMs ?? null;
    const isLife =
      lifeMs === null || (Number.isSafeInteger(lifeMs) && Number(lifeMs) > 0 && Number(lifeMs) <= tokenLifeMsMax);
    if (!isLife || Object.keys(others).length > 0)
      throw new Failure(
        'BAD_REQUEST',
        'a token takes expiresInMs alone: a whole number of milliseconds, at most ten years',
      );
    const { token, kept } = newToken(name);
    const expiresAtMs = lifeMs === null ? null : systemClock.nowMs() + Number(lifeMs);
    await this.run('CreateToken', { name, ...kept, expiresAtMs }, request);
    return { user: name, tokenId: kept.tokenId, expiresAtMs, token };
  }

  @Delete('users/:name/tokens/:tokenId')
  @ApiOperation({ summary: 'Revokes a token' })
  async revokeToken(@Param('name') name: string, @Param('tokenId') tokenId: string, @Req() request: FastifyRequest) {
    await this.run('RevokeToken', { name, tokenId }, request);
    return this.user(name);
  }

  private async run(kind: string, payload: Fields, request: FastifyRequest): Promise<void> {
    await this.commands.run({ kind, payload, principal: principalOf(request).name });
  }
}

/** With the hash in place of the password; `null` stays: it takes the password away. */
async function hashed({ password, ...fields }: Fields): Promise<Fields> {
  if (Object.hasOwn(fields, 'passwordHash'))
    throw new Failure('BAD_REQUEST', 'send the password: this door makes the hash');
  if (password === undefined) return fields;
  if (password === null) return { ...fields, passwordHash: null };
  const { passwordMin, secretBytesMax } = secretLimits;
  if (typeof password !== 'string' || password.length < passwordMin || Buffer.byteLength(password) > secretBytesMax)
    throw new Failure(
      'BAD_REQUEST',
      `a password has ${passwordMin} characters at least, and ${secretBytesMax} bytes at most`,
    );
  return { ...fields, passwordHash: await hashPassword(password) };
}

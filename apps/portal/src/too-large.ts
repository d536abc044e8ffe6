import { HttpException } from '@nestjs/common';

/** A key, value or body above its limit: the code of every door, with the status that HTTP has for it. */
export const tooLarge = (message: string): HttpException => new HttpException({ code: 'LVLIMIT', message }, 413);

/** `failure` of a parser that was sent HTTP. */
export const webRequestFailure = 'ERR this is no HTTP door';

const firstWords = /^\s*["']?(post(?![^\s"'])|host:)/i;
const requestLine = /\sHTTP\/\d(\.\d)?["']?\s*$/i;
/** Of a line, from either end: no word that is looked for is longer. */
const lookedAtBytes = 32;

/**
 * Whether an inline command is a line of an HTTP request. A web page can make a browser send one to any port, and the
 * lines of its body would be commands. As in Redis the words `POST` and `Host:` say so, whatever follows them; and so
 * does a request line of any other method, since a page whose name was bound to this address chooses its methods:
 * `SET /key HTTP/1.1` is a write.
 */
export function isWebRequest(line: Buffer): boolean {
  return (
    firstWords.test(line.toString('latin1', 0, lookedAtBytes)) ||
    requestLine.test(line.toString('latin1', Math.max(0, line.length - lookedAtBytes)))
  );
}

/** Recognizes proxies and CDNs by the headers they add, and knows how to turn their buffering off. */

export interface Intermediary {
  readonly name: string;
  /** How it is made to hand bytes on at once. */
  readonly unbuffer: string;
  /** How it is made to leave a stream uncompressed. */
  readonly compress?: string;
  /** How long it lets a response be silent, and where that is set. */
  readonly idle: string;
}

interface Sign {
  readonly header: string;
  readonly value?: RegExp;
  readonly is: Intermediary;
}

const nginx: Intermediary = {
  name: 'nginx',
  compress: 'In its location block, set gzip off; and proxy_buffering off;.',
  unbuffer:
    "In its location block, set proxy_buffering off; and proxy_http_version 1.1;, and don't ignore X-Accel-Buffering.",
  idle: 'In its location block, set proxy_read_timeout to more than the heartbeat (it is 60s by default).',
};
const cloudflare: Intermediary = {
  name: 'Cloudflare',
  compress:
    'Turn compression off for this path by a compression rule; it respects Cache-Control: no-transform.',
  unbuffer:
    'Turn off what rewrites bodies for this path (Rocket Loader, email obfuscation, minification), and cache nothing there.',
  idle: 'It ends a response after 100 seconds of silence: keep the heartbeat well below.',
};
const cloudFront: Intermediary = {
  name: 'CloudFront',
  unbuffer: "Use a cache policy that caches nothing and doesn't compress for this path.",
  idle: 'Its origin response timeout (30 seconds by default) has to be longer than the heartbeat.',
};
const fastly: Intermediary = {
  name: 'Fastly',
  unbuffer: 'Set beresp.do_stream and pass for this path.',
  idle: 'Its between_bytes_timeout (10 seconds by default) has to be longer than the heartbeat.',
};
const varnish: Intermediary = {
  name: 'Varnish',
  unbuffer: 'Return pipe for this path, or set beresp.do_stream = true and pass.',
  idle: 'Its between_bytes_timeout or pipe_timeout (60 seconds by default) has to be longer than the heartbeat.',
};
const envoy: Intermediary = {
  name: 'Envoy',
  unbuffer: 'Take the buffer and compressor filters off this route.',
  idle: "Set the route's timeout to 0s and its idle_timeout to more than the heartbeat.",
};
const awsBalancer: Intermediary = {
  name: 'an AWS load balancer',
  unbuffer: "It doesn't buffer by itself; look at what stands behind it.",
  idle: 'Its idle timeout (60 seconds by default) has to be longer than the heartbeat.',
};
const caddy: Intermediary = {
  name: 'Caddy',
  compress: 'Match the paths that encode compresses, without this one.',
  unbuffer: 'Set flush_interval -1 in its reverse_proxy block, and leave text/event-stream out of encode.',
  idle: 'Its read_timeout and stream_timeout have to be longer than the heartbeat.',
};
const apache: Intermediary = {
  name: 'Apache httpd',
  compress: 'Set SetEnv no-gzip 1 for this path.',
  unbuffer: 'Add flushpackets=on to ProxyPass, and leave text/event-stream out of mod_deflate.',
  idle: 'Its ProxyTimeout has to be longer than the heartbeat.',
};
const heroku: Intermediary = {
  name: "Heroku's router",
  unbuffer: "It doesn't buffer by itself; look at what stands behind it.",
  idle: 'It ends a response after 55 seconds of silence: keep the heartbeat below.',
};
const azure: Intermediary = {
  name: 'Azure Front Door',
  unbuffer: 'Turn off caching and compression for this route.',
  idle: 'Its origin response timeout has to be longer than the heartbeat.',
};
const vercel: Intermediary = {
  name: 'Vercel',
  unbuffer: 'Stream from a function that supports it.',
  idle: 'A function ends at its maximum duration: expect reconnects, or run the hub elsewhere.',
};

const signs: readonly Sign[] = [
  { header: 'cf-ray', is: cloudflare },
  { header: 'x-amz-cf-id', is: cloudFront },
  { header: 'x-served-by', value: /cache-/, is: fastly },
  { header: 'x-azure-ref', is: azure },
  { header: 'x-vercel-id', is: vercel },
  { header: 'x-envoy-upstream-service-time', is: envoy },
  { header: 'x-varnish', is: varnish },
  { header: 'via', value: /varnish/i, is: varnish },
  { header: 'via', value: /vegur|heroku/i, is: heroku },
  { header: 'via', value: /caddy/i, is: caddy },
  { header: 'server', value: /cloudflare/i, is: cloudflare },
  { header: 'server', value: /awselb/i, is: awsBalancer },
  { header: 'server', value: /envoy/i, is: envoy },
  { header: 'server', value: /nginx|openresty/i, is: nginx },
  { header: 'server', value: /caddy/i, is: caddy },
  { header: 'server', value: /apache/i, is: apache },
  { header: 'server', value: /varnish/i, is: varnish },
];

/** The intermediaries that left a sign in the headers, outermost guess first. Many leave none. */
export function intermediariesOf(headers: Readonly<Record<string, string>>): readonly Intermediary[] {
  const found = signs
    .filter(({ header, value = /./ }) => value.test(headers[header] ?? ''))
    .map(({ is }) => is);
  return [...new Set(found)];
}

/** `nginx`, `Cloudflare or nginx`, or words for one that left no sign. */
export function whoOf(found: readonly Intermediary[]): string {
  return found.length === 0
    ? 'Something between here and the server (it leaves no name in the headers)'
    : `Something between here and the server, likely ${found.map(({ name }) => name).join(' or ')},`;
}

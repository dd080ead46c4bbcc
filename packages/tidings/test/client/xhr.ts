import http from 'node:http';

/** `XMLHttpRequest` as React Native has it, over a real connection: text comes in pieces, and bytes never. */
export class NodeXhr {
  status = 0;
  readyState = 0;
  responseText = '';
  responseURL = '';
  withCredentials = false;
  onreadystatechange: (() => void) | null = null;
  onprogress: (() => void) | null = null;
  onload: (() => void) | null = null;
  onerror: (() => void) | null = null;
  onabort: (() => void) | null = null;
  #request: http.ClientRequest | undefined;
  #response: http.IncomingMessage | undefined;
  #over = false;

  open(method: string, url: string): void {
    this.responseURL = url;
    this.#request = http.request(url, { method });
  }

  setRequestHeader(name: string, value: string): void {
    this.#request?.setHeader(name, value);
  }

  getAllResponseHeaders(): string {
    return Object.entries(this.#response?.headers ?? {})
      .map(([name, value]) => `${name}: ${String(value)}\r\n`)
      .join('');
  }

  send(body?: string): void {
    this.#request?.on('error', () => this.#end(this.onerror));
    this.#request?.on('response', (response) => {
      this.#response = response.setEncoding('utf8');
      this.status = response.statusCode ?? 0;
      this.readyState = 2;
      this.onreadystatechange?.();
      response.on('data', (text: string) => {
        this.responseText += text;
        this.onprogress?.();
      });
      response.on('error', () => this.#end(this.onerror));
      response.on('end', () => this.#end(this.onload));
    });
    this.#request?.end(body);
  }

  abort(): void {
    this.#request?.destroy();
    this.#end(this.onabort);
  }

  #end(tell: (() => void) | null): void {
    if (this.#over) return;
    this.#over = true;
    tell?.();
  }
}

import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

interface MediaTypes {
  readonly [mediaType: string]: {
    readonly schema: object;
    readonly example?: unknown;
    readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
  };
}

interface Operation {
  readonly requestBody?: { readonly content: MediaTypes };
  readonly responses: Readonly<Record<string, { readonly content?: MediaTypes }>>;
}

interface Seen {
  readonly operation: string;
  readonly status: number;
  readonly problem: string | undefined;
}

/** Compares answers of a server with the description of its API. */
export class ApiDescription {
  readonly #api: Readonly<Record<string, unknown>>;
  readonly #ajv: Ajv2020 = new Ajv2020({ strict: false, allErrors: true });
  readonly #seen: Seen[] = [];

  constructor(api: Readonly<Record<string, unknown>>) {
    this.#api = api;
    this.#ajv.addSchema({ ...api, $id: 'https://tidings.test/openapi.json' });
  }

  /** Mistakes of the description itself. */
  async errors(): Promise<readonly unknown[]> {
    const { valid, errors } = await new Validator().validate(structuredClone(this.#api));
    return valid ? [] : [errors].flat();
  }

  saw(
    method: string,
    path: string,
    { status, headers }: { readonly status: number; readonly headers: Headers },
    body: unknown,
  ): void {
    const operation = `${method} ${path}`;
    const content = this.#operation(method, path)?.responses[status]?.content;
    const [mediaType = ''] = (headers.get('content-type') ?? '').split(';', 1);
    const schema = content?.[mediaType]?.schema;
    const problem =
      schema === undefined
        ? `no ${mediaType}`
        : this.#compile(schema)(body)
          ? undefined
          : this.#ajv.errorsText();
    this.#seen.push({
      operation,
      status,
      problem: problem === undefined ? undefined : `${problem}: ${JSON.stringify(body)}`,
    });
  }

  /** The statuses of an operation that were seen. */
  seen(method: string, path: string): readonly number[] {
    const operation = `${method} ${path}`;
    const statuses = this.#seen.filter((each) => each.operation === operation).map(({ status }) => status);
    return [...new Set(statuses)].toSorted((a, b) => a - b);
  }

  undescribed(): readonly Seen[] {
    return this.#seen.filter(({ problem }) => problem !== undefined);
  }

  /** The examples of a request's body, as they are sent. */
  examples(
    method: string,
    path: string,
  ): readonly { readonly mediaType: string; readonly body: string; readonly isValid: boolean }[] {
    const content = this.#operation(method, path)?.requestBody?.content ?? {};
    return Object.entries(content).flatMap(([mediaType, { schema, example, examples = {} }]) =>
      [example, ...Object.values(examples).map(({ value }) => value)]
        .filter((value) => value !== undefined)
        .map((value) => ({
          mediaType,
          body: encode(mediaType, value),
          isValid: this.#compile(schema)(value),
        })),
    );
  }

  #operation(method: string, path: string): Operation | undefined {
    const { paths } = this.#api as { paths: Record<string, Record<string, Operation>> };
    return paths[path]?.[method];
  }

  #compile(schema: object): ValidateFunction {
    // References within the description are relative to it.
    const text = JSON.stringify(schema).replaceAll('"#/', '"https://tidings.test/openapi.json#/');
    return this.#ajv.compile(JSON.parse(text) as object);
  }
}

function encode(mediaType: string, value: unknown): string {
  if (mediaType === 'application/json') return JSON.stringify(value);
  if (typeof value === 'string') return value;
  const pairs = Object.entries(value as Record<string, unknown>).flatMap(([name, field]) =>
    [field].flat().map((each) => [name, String(each)]),
  );
  return new URLSearchParams(pairs).toString();
}

/**
 * The interface that zod, valibot, arktype and others share: https://standardschema.dev. As that page suggests, its
 * types are copied here, which saves a dependency.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A schema's input type. */
export type InputOf<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['input'];
/** A schema's output type. */
export type OutputOf<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['output'];

/** A value's type after a round trip through JSON. */
export type Json<T> = T extends { toJSON(): infer Text }
  ? Json<Text>
  : T extends string | number | boolean | null
    ? T
    : T extends bigint | symbol | undefined | ((...values: never[]) => unknown)
      ? never
      : unknown extends T
        ? T
        : T extends readonly unknown[]
          ? { [Index in keyof T]: Json<T[Index]> }
          : { [Name in keyof T as Json<T[Name]> extends never ? never : Name & string]: Json<T[Name]> };

/** An issue in one line, such as `author.name: expected a string`. */
export function describeIssue({ path = [], message }: SchemaIssue): string {
  const names = path.map((part) => String(typeof part === 'object' ? part.key : part));
  return names.length === 0 ? message : `${names.join('.')}: ${message}`;
}

export * from './control.ts';
export * from './cursor.ts';
export * from './encode.ts';
export * from './errors.ts';
export * from './event.ts';
export * from './matcher.ts';
export * from './pattern.ts';

/** In a file of its own: a module that imports lmdb's types makes users compile them. */
export type Durability = 'commit' | 'relaxed';

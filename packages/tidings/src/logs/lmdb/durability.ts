/** In a file of its own, since what imports lmdb's types makes users compile them. */
export type Durability = 'commit' | 'relaxed';

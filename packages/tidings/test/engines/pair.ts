/** A database server and its replica, behind one address that leads to whichever is the master. */
export interface EnginePair {
  readonly url: string;
  /** Kills the master and starts it again, on what it had on the disk. */
  restart(): Promise<void>;
  /**
   * Kills the master; the replica takes over, and gets a replica of its own. While `meanwhile` runs, before that, the replica
   * gets nothing.
   */
  failOver(meanwhile?: () => Promise<void>): Promise<void>;
  /** Lets nothing through for so many milliseconds, while connections stay open. */
  partition(milliseconds: number): Promise<void>;
  stop(): Promise<void>;
}

/** `replica`: an acknowledged event survives the loss of the master. */
export type PairDurability = 'server' | 'replica';

/**
 * The id of a superseded event is remembered until so many events later, in case its publisher tries again; and no more
 * of them than this are remembered.
 */
export const SUPERSEDED_ID_WINDOW = 10_000;

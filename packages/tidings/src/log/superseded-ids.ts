/** The id of a superseded event is remembered until so many events later, in case its publisher tries again. */
export const SUPERSEDED_ID_WINDOW = 10_000;

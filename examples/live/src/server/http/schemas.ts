import { z } from 'zod';
import { LIMITS } from '../../shared/api.ts';

/** An id of a row, as text in a URL. */
export const idSchema = z
  .string()
  .regex(/^[1-9][0-9]{0,14}$/, 'This is not an id.')
  .transform(Number);

/** The part of a list that is wanted. */
export const pageSchema = z.object({
  before: idSchema.optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.pageSizeMax).default(LIMITS.pageSize),
});

/** A random id that a page made up. */
export const randomIdSchema = z
  .string()
  .regex(
    new RegExp(`^[A-Za-z0-9_-]{${LIMITS.randomId.min},${LIMITS.randomId.max}}$`),
    `Use ${LIMITS.randomId.min} to ${LIMITS.randomId.max} letters, digits, - and _.`,
  );

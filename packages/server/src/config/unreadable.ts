const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  EISDIR: 'it is a folder',
  EEXIST: 'a file is in its place',
  ENOTDIR: 'part of its path is no folder',
};

/** Why a file can't be read, for the message of an error. */
export function whyUnreadable(cause: unknown): string {
  const { code = 'unknown' } = cause as NodeJS.ErrnoException;
  const reason = Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
  return reason === undefined ? code : `${reason} (${code})`;
}

import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = new URL('../../', import.meta.url);
const path = (relative: string): string => fileURLToPath(new URL(relative, root));

/** The React packages to use: those of the root, or of the folder of an older version. */
const folders = { 18: 'e2e/react-18/node_modules/', 19: 'node_modules/' } as const;

export type ReactVersion = keyof typeof folders;

/** The page's script, or a module for Node, with React's development build: it checks more, and runs effects twice. */
export async function bundleApp(
  version: ReactVersion,
  entry: string,
  platform: 'browser' | 'node',
): Promise<string> {
  const folder = path(folders[version]);
  const build = await rolldown({
    input: path(entry),
    platform,
    resolve: { alias: { react: `${folder}react`, 'react-dom': `${folder}react-dom` } },
    transform: { define: { 'process.env.NODE_ENV': JSON.stringify('development') } },
    onLog(level, log, handle) {
      if (log.code !== 'MODULE_LEVEL_DIRECTIVE') handle(level, log);
    },
  });
  const { output } = await build.generate({ format: 'esm', codeSplitting: false });
  await build.close();
  return output[0].code;
}

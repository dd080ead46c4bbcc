import { type TestSpecification, BaseSequencer } from 'vitest/node';

/** Files that take more than half a minute on two cores, the longest first: at the end, they would run alone. */
export const LONG: readonly string[] = [
  'e2e/site.test.ts',
  'e2e/example-chat.test.ts',
  'packages/tidings/test/chaos/chaos.integration.test.ts',
  'e2e/pages.test.ts',
  'e2e/shared.test.ts',
  'scripts/next.integration.test.ts',
  'scripts/snippets.integration.test.ts',
  'packages/tidings/test/fuzz.integration.test.ts',
  'packages/tidings/test/faults/kill.integration.test.ts',
  'packages/server/test/image.integration.test.ts',
  'packages/tidings/test/runtimes/runtimes.integration.test.ts',
  'e2e/react.test.ts',
  'e2e/live-tabs.test.ts',
  'e2e/console.test.ts',
  'e2e/chat.test.ts',
  'e2e/feed.test.ts',
  'e2e/restart.test.ts',
  'examples/live/src/server/ops/process.integration.test.ts',
  'e2e/cluster.test.ts',
  'packages/tidings/src/logs/postgres/failover.integration.test.ts',
  'examples/live/src/server/ops/crash.integration.test.ts',
  'scripts/jest.integration.test.ts',
];

/**
 * Runs the projects of a group side by side, from the first file to the last, instead of one after the other: browser tests
 * compute, integration tests mostly wait. Within each project, long files come first.
 */
export class SideBySide extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sideBySide(
      sorted.map((file) => ({
        file,
        path: file.moduleId.replaceAll('\\', '/').slice(this.ctx.config.root.length + 1),
        project: file.project.name,
        group: file.project.config.sequence.groupOrder,
      })),
    ).map(({ file }) => file);
  }
}

interface Ordered {
  readonly path: string;
  readonly project: string;
  readonly group: number;
}

/** Stable: what isn't known to be long stays in the order in which it came. */
export function sideBySide<T extends Ordered>(files: readonly T[]): T[] {
  const placed = [...new Set(files.map(({ project }) => project))].flatMap((name) => {
    const ofProject = files.filter(({ project }) => project === name);
    return ofProject
      .toSorted((a, b) => rank(a) - rank(b))
      .map((file, index) => ({ file, place: (index + 0.5) / ofProject.length }));
  });
  return placed.toSorted((a, b) => a.file.group - b.file.group || a.place - b.place).map(({ file }) => file);
}

function rank({ path }: Ordered): number {
  const index = LONG.indexOf(path);
  return index === -1 ? LONG.length : index;
}

import { appendFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import type { Reporter, SerializedError, TestCase, TestModule, Vitest } from 'vitest/node';

/**
 * Ends a run with a list of skipped tests and the reasons. A run without tests fails, and with `CI=true` so does one
 * that skipped something: both would otherwise look like success.
 *
 * `TEST_COUNTS_FILE` names a file to which one line `passed failed` is added per run, and one `Failed: …` per
 * failure; .ci/run sums and repeats them, since of a long log only the end may be kept.
 */
export default class SummaryReporter implements Reporter {
  private filtered = false;

  onInit(vitest: Vitest): void {
    this.filtered = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const skipped = tests.filter((test) => test.result().state === 'skipped');
    const passed = tests.filter((test) => test.result().state === 'passed').length;
    // A file that fails to load has no tests, yet is a failure to count.
    const failures = [
      ...tests
        .filter((test) => test.result().state === 'failed')
        .map((test) =>
          describeFailure(`${test.module.relativeModuleId} > ${test.fullName}`, test.result().errors),
        ),
      ...modules
        .filter((module) => module.state() === 'failed' && module.errors().length > 0)
        .map((module) => describeFailure(module.relativeModuleId, module.errors())),
      ...unhandledErrors.map((error) => describeFailure('outside of the tests', [error])),
    ];
    if (!this.filtered) {
      for (const line of describeSkipped(skipped)) console.log(line);
      if (skipped.length > 0 && process.env['CI'] === 'true') {
        const message = 'Skipped tests fail the run, because CI=true.';
        fail(message);
        failures.push(message);
      }
    }
    const failed = failures.length;
    if (passed + failed === 0) fail('No test ran.');
    const file = process.env['TEST_COUNTS_FILE'];
    if (file !== undefined) {
      appendFileSync(file, `${passed} ${failed}\n`);
      for (const failure of failures) appendFileSync(file, `Failed: ${failure}\n`);
    }
  }
}

function describeSkipped(skipped: readonly TestCase[]): string[] {
  if (skipped.length === 0) return ['Nothing was skipped.'];
  const byReason = new Map<string, TestCase[]>();
  for (const test of skipped) {
    const result = test.result();
    const reason = (result.state === 'skipped' ? result.note : undefined) ?? 'no reason given';
    byReason.set(reason, [...(byReason.get(reason) ?? []), test]);
  }
  return [...byReason].flatMap(([reason, tests]) => [
    `Skipped ${tests.length}: ${reason}`,
    ...tests.map((test) => `  ${test.module.relativeModuleId} > ${test.fullName}`),
  ]);
}

function describeFailure(name: string, errors: readonly { message?: string }[] | undefined): string {
  return `${name}: ${stripVTControlCharacters(errors?.[0]?.message ?? 'no message')
    .replaceAll(/\s*\n\s*/g, ' | ')
    .slice(0, 1500)}`;
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = 1;
}

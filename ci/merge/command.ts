/** npm start -- merge: from the shards' reports to one results folder, with the summary and exit code of a whole run. */
import type { CliOptions } from '../cli/args.js';
import { callersPath } from '../cli/callers-path.js';
import { finish } from '../report/finish.js';
import { createResultsDir } from '../report/results.js';
import { ReportStore } from '../report/store.js';
import type { Progress } from '../session/progress.js';
import { findReports } from './find.js';
import { joinShards } from './join.js';

export function mergeReports(root: string, { selection, json }: CliOptions, progress: Progress): number {
  const report = joinShards(findReports(selection.map((path) => callersPath(path))));
  return finish(ReportStore.ofEnded(createResultsDir(root, new Date()), report), json, progress);
}

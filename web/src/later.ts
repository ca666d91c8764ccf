// All that the first view of a page does without: one file, loaded when any of it is first asked for. A file for each page would split what
// they share into twenty, each of them a request before the first view.
export { AgreementPage } from './pages/agreement';
export { BesidePage } from './pages/beside';
export { ComparePage } from './pages/compare';
export { JobsPage } from './pages/jobs';
export { MapPage } from './pages/map';
export { QueryPage } from './pages/query';
export { RubricPage } from './pages/rubric';
export { RubricsPage } from './pages/rubrics';
export { RulesPage } from './pages/rules';
export { SearchPage } from './pages/search';
export { SettingsPage } from './pages/settings';
export { TaskPage } from './pages/task';
export { AskJudge } from './parts/askjudge';
export { JudgeDialog } from './parts/judgedialog';
export { LabelBar } from './parts/labelbar';
export { DocsPage } from './pages/docs';
export { AuditPage } from './pages/audit';

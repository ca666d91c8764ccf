import { render, type JSX } from 'preact';
import { useEffect, useErrorBoundary, useRef } from 'preact/hooks';
import { CollectionsPage } from './pages/collections';
import { FindingsPage } from './pages/findings';
import { ReaderPage } from './pages/reader';
import { RunsPage } from './pages/runs';
import { StoryPage } from './pages/story';
import { TasksPage } from './pages/tasks';
import { focusMain, lazy } from './parts/lazy';
import { FailedPage } from './parts/say';
import { Shell, UnknownPage } from './parts/shell';
import { Gate } from './parts/signin';
import { useKeys } from './keys';
import { printPage } from './print';
import { pageOf, usePlace } from './router';
import { asApiError } from './use';
import './tokens.css';
import './components.css';
import './judges.css';
import './compare.css';
import './map.css';
import './lists.css';
import './tree.css';
import './jobs.css';
import './print.css';
import './query.css';
import './beside.css';
import './search.css';
import './rules.css';
import './docs.css';
import './access.css';

const RulesPage = lazy(() => import('./later').then(m => m.RulesPage));
const SettingsPage = lazy(() => import('./later').then(m => m.SettingsPage));
const JobsPage = lazy(() => import('./later').then(m => m.JobsPage));
const SearchPage = lazy(() => import('./later').then(m => m.SearchPage));
const RubricsPage = lazy(() => import('./later').then(m => m.RubricsPage));
const RubricPage = lazy(() => import('./later').then(m => m.RubricPage));
const ComparePage = lazy(() => import('./later').then(m => m.ComparePage));
const TaskPage = lazy(() => import('./later').then(m => m.TaskPage));
const MapPage = lazy(() => import('./later').then(m => m.MapPage));
const AgreementPage = lazy(() => import('./later').then(m => m.AgreementPage));
const BesidePage = lazy(() => import('./later').then(m => m.BesidePage));
const QueryPage = lazy(() => import('./later').then(m => m.QueryPage));
const DocsPage = lazy(() => import('./later').then(m => m.DocsPage));
const AuditPage = lazy(() => import('./later').then(m => m.AuditPage));

function App(): JSX.Element {
    const { path } = usePlace();
    // What cannot be drawn is said, and the way to every other page stays.
    const [broken, mend] = useErrorBoundary(error => reportError(error));
    useEffect(mend, [path]);
    const page = pageOf(path);
    useKeys('Printing', [{ key: 'mod+p', does: 'print the whole page', typing: true, run: () => void printPage() }]);
    // A new page is a new place to read from: without this, the focus would stay with a link that is gone.
    const first = useRef(true);
    useEffect(() => {
        if (!first.current) focusMain();
        first.current = false;
    }, [path]);
    if (broken)
        return (
            <Shell>
                <FailedPage error={asApiError(broken)} again={mend} />
            </Shell>
        );
    switch (page.name) {
        case 'collections':
            return <CollectionsPage />;
        case 'story':
            return <StoryPage key={page.collection} name={page.collection} />;
        case 'runs':
            return <RunsPage key={page.collection} name={page.collection} />;
        case 'findings':
            return <FindingsPage key={page.collection} name={page.collection} />;
        case 'tasks':
            return <TasksPage key={page.collection} name={page.collection} />;
        case 'groups':
            return <ComparePage key={page.collection} name={page.collection} />;
        case 'task':
            return <TaskPage key={page.collection + ' ' + page.task} name={page.collection} task={page.task} />;
        case 'map':
            return <MapPage key={page.collection} name={page.collection} />;
        case 'run':
            return <ReaderPage key={page.run} id={page.run} />;
        case 'rules':
            return <RulesPage />;
        case 'rubrics':
            return <RubricsPage />;
        case 'rubric':
            return <RubricPage key={page.rubric} name={page.rubric} />;
        case 'agreement':
            return <AgreementPage key={page.rubric} name={page.rubric} />;
        case 'jobs':
            return <JobsPage />;
        case 'search':
            return <SearchPage />;
        case 'beside':
            return <BesidePage />;
        case 'query':
            return <QueryPage />;
        case 'docs':
            return <DocsPage name={page.page} />;
        case 'audit':
            return <AuditPage />;
        case 'settings':
            return <SettingsPage />;
        case 'unknown':
            return <UnknownPage />;
    }
}

render(
    <Gate>
        <App />
    </Gate>,
    document.body,
);

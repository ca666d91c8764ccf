import { render, type JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { CollectionsPage } from './pages/collections';
import { FindingsPage } from './pages/findings';
import { ReaderPage } from './pages/reader';
import { RulesPage } from './pages/rules';
import { RunsPage } from './pages/runs';
import { SettingsPage } from './pages/settings';
import { StoryPage } from './pages/story';
import { TasksPage } from './pages/tasks';
import { UnknownPage } from './parts/shell';
import { pageOf, usePlace } from './router';
import './tokens.css';
import './components.css';

function App(): JSX.Element {
    const { path } = usePlace();
    const page = pageOf(path);
    // A new page is a new place to read from: without this, the focus would stay with a link that is gone.
    const first = useRef(true);
    useEffect(() => {
        const main = document.getElementById('main');
        if (!first.current && main && !document.querySelector('dialog[open]')) {
            main.tabIndex = -1;
            main.focus({ preventScroll: true });
        }
        first.current = false;
    }, [path]);
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
        case 'run':
            return <ReaderPage key={page.run} id={page.run} />;
        case 'rules':
            return <RulesPage />;
        case 'settings':
            return <SettingsPage />;
        case 'unknown':
            return <UnknownPage />;
    }
}

render(<App />, document.body);

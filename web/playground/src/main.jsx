import './workers.js';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import './main.css';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import { useGraphiQL } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import { createFetcher } from './fetcher.js';
import { storage } from './storage.js';
import welcome from './welcome.graphql';
import variables from './welcome.json';

// The welcome document is what GraphiQL finds stored on a first visit: as a default it would be forgotten as soon as
// only its variables are changed.
if (storage.getItem('graphiql:query') === null && storage.getItem('graphiql:tabState') === null) {
  storage.setItem('graphiql:query', welcome);
  storage.setItem('graphiql:variables', JSON.stringify(variables, null, 2));
}

let headerEditor;
const fetcher = createFetcher(new URL('/graphql', location.href).href, (token) => {
  headerEditor?.setValue(withToken(headerEditor.getValue(), token));
});

// withToken puts the access token into the headers; what is no JSON stays as it is.
function withToken(headers, token) {
  try {
    const others = Object.entries(JSON.parse(headers || '{}')).filter(([name]) => name.toLowerCase() !== 'authorization');
    return JSON.stringify({ authorization: `Bearer ${token}`, ...Object.fromEntries(others) }, null, 2);
  } catch {
    return headers;
  }
}

// Editors lets the fetcher reach the headers, and wraps long lines.
function Editors() {
  const query = useGraphiQL((state) => state.queryEditor);
  const headers = useGraphiQL((state) => state.headerEditor);
  useEffect(() => {
    headerEditor = headers;
  }, [headers]);
  useEffect(() => query?.updateOptions({ wordWrap: 'on' }), [query]);
  return null;
}

const plugins = [HISTORY_PLUGIN, explorerPlugin({ showAttribution: false })];

createRoot(document.getElementById('page')).render(
  <GraphiQL fetcher={fetcher} storage={storage} plugins={plugins} defaultEditorToolsVisibility="variables">
    <GraphiQL.Logo>KyroChat</GraphiQL.Logo>
    <Editors />
  </GraphiQL>,
);

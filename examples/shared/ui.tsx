// What the React examples look like: components that know nothing of GraphQL clients.
import { useEffect, useRef, useState, type FormEvent, type ReactNode } from 'react';
import { forgottenPage } from './session.js';
import { remarks, underWay, whyNot } from './words.js';

const inWords = (error: Error) => (error instanceof TypeError ? 'The server cannot be reached.' : error.message); // fetch throws TypeErrors

/** Sends a form's values and shows what goes wrong. Gives what a form needs. */
function useForm(send: (values: Record<string, string>) => Promise<void>) {
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const onSubmit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    setBusy(true);
    setError('');
    await send(values).catch((e: Error) => setError(inWords(e)));
    setBusy(false);
  };
  return { onSubmit, busy, error: error && <p className="error" role="alert">{error}</p> };
}

export type Credentials = { name: string; email: string; password: string };

export function SignIn({ signUp, logIn }: { signUp(c: Credentials): Promise<void>; logIn(c: Credentials): Promise<void> }) {
  const [known, setKnown] = useState(false);
  const { onSubmit, busy, error } = useForm((values) => (known ? logIn : signUp)(values as Credentials));
  return (
    <form className="card" onSubmit={onSubmit}>
      <h1>Answers from your own documents</h1>
      {!known && <label>Name <input name="name" required maxLength={100} autoComplete="name" /></label>}
      <label>Email <input name="email" type="email" required autoComplete="email" /></label>
      <label>
        Password
        <input
          name="password" type="password" required minLength={12} maxLength={128}
          placeholder={known ? '' : 'At least 12 characters'} autoComplete={known ? 'current-password' : 'new-password'}
        />
      </label>
      {error}
      <button className="primary" disabled={busy}>{known ? 'Sign in' : 'Sign up'}</button>
      <p className="hint">
        {known ? 'New here? ' : 'You have an account? '}
        <button type="button" className="link" onClick={() => setKnown(!known)}>{known ? 'Make an account' : 'Sign in instead'}</button>
      </p>
      {known && <p className="hint"><a href={forgottenPage}>Forgot your password?</a></p>}
    </form>
  );
}

export function FirstBot({ create }: { create(name: string): Promise<void> }) {
  const { onSubmit, busy, error } = useForm(({ name }) => create(name));
  return (
    <form className="card" onSubmit={onSubmit}>
      <h1>Make your first bot</h1>
      <label>Name of the bot <input name="name" required maxLength={100} defaultValue="Librarian" /></label>
      {error}
      <button className="primary" disabled={busy}>Create</button>
    </form>
  );
}

export function Top({ title, signOut }: { title: string; signOut(): void }) {
  return (
    <header className="top">
      <h1>{title}</h1>
      <button className="link" onClick={signOut}>Sign out</button>
    </header>
  );
}

type ShownDocument = { id: string; title: string; statusReason?: string | null; progress: { status: string; percent: number; retryAt?: string | null } };

export function Documents({ documents, upload }: { documents: ShownDocument[]; upload(file: File): Promise<void> }) {
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const choose = async (file?: File) => {
    if (!file) return;
    setBusy(true);
    setError('');
    await upload(file).catch((e: Error) => setError(inWords(e)));
    setBusy(false);
  };
  return (
    <section className="documents" aria-label="Documents">
      <h2>Documents</h2>
      <label className="file">
        {busy ? 'Sending…' : 'Add a file'}
        <input type="file" accept=".pdf,.docx,.pptx,.xlsx,.html,.md,.csv,.json,.txt" disabled={busy} onChange={(e) => { choose(e.target.files?.[0]); e.target.value = ''; }} />
      </label>
      {error && <p className="error" role="alert">{error}</p>}
      <ul>
        {documents.map((d) => (
          <li key={d.id}>
            {d.title}
            <DocumentState {...d} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function DocumentState(document: ShownDocument) {
  const { statusReason, progress: { status, percent } } = document;
  switch (status) {
    case 'READY':
    case 'READY_WITH_WARNINGS':
      return <p className="state ready">Ready</p>;
    case 'FAILED':
    case 'NEEDS_OCR':
    case 'CANCELED':
      return <p className="state failed">{statusReason ?? status.toLowerCase()}</p>;
    default:
      return (
        <>
          <progress max={100} value={percent} aria-label="Progress" />
          <p className="state">{underWay(document)}</p>
        </>
      );
  }
}

export function Chat({ children, send, offline }: { children: ReactNode; send(text: string, clientMessageId: string): Promise<void>; offline: boolean }) {
  return (
    <section className="chat" aria-label="Chat">
      {offline && <p className="banner" role="status">The connection is lost. Trying again…</p>}
      <Transcript>{children}</Transcript>
      <Composer send={send} />
    </section>
  );
}

/** Shows the newest message, also while it grows, unless the reader has scrolled up. */
function Transcript({ children }: { children: ReactNode }) {
  const list = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    const element = list.current!;
    const follow = () => atEnd.current && element.scrollTo(0, element.scrollHeight);
    const watcher = new MutationObserver(follow);
    watcher.observe(element, { childList: true, subtree: true, characterData: true });
    follow();
    return () => watcher.disconnect();
  }, []);
  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = list.current!;
    atEnd.current = scrollHeight - scrollTop - clientHeight < 40;
  };
  return <ol className="messages" role="log" ref={list} onScroll={onScroll}>{children}</ol>;
}

function Composer({ send }: { send(text: string, clientMessageId: string): Promise<void> }) {
  const [text, setText] = useState('');
  // One id for one question: where the answer to the request is lost, sending again under the same id asks only once.
  const [id, setId] = useState(() => crypto.randomUUID());
  const { onSubmit, busy, error } = useForm(async () => {
    await send(text, id);
    setText('');
    setId(crypto.randomUUID());
  });
  const change = (text: string) => {
    setText(text);
    setId(crypto.randomUUID());
  };
  return (
    <form className="composer" onSubmit={onSubmit}>
      <textarea
        aria-label="Question" placeholder="Ask about your documents" required rows={1} value={text} onChange={(e) => change(e.target.value)}
        onKeyDown={(e) => { if (e.key === 'Enter' && !e.shiftKey) { e.preventDefault(); e.currentTarget.form!.requestSubmit(); } }}
      />
      <button className="primary" disabled={busy}>Send</button>
      {error}
    </form>
  );
}

type Cited = { marker: number; documentTitle: string; pageStart?: number | null; quote: string };
export type ShownMessage = {
  id: string;
  role: string;
  status: string;
  text: string;
  grounding?: string | null;
  notices?: readonly string[];
  citations?: Cited[];
  error?: { message: string; retryable: boolean; retryAt?: string | null } | null;
};

/** A message: final with its citations, or running with a way to stop it. */
export function Message({ message, hint, stop, again }: { message: ShownMessage; hint?: string; stop?(): void; again?(): void }) {
  const { id, role, status, text, citations = [], error } = message;
  const kind = role === 'USER' ? 'user' : stop ? 'bot running' : 'bot';
  return (
    <li className={`message ${kind}`} data-status={status}>
      <p className="text">{withMarkers(text, id, citations)}</p>
      {citations.length > 0 && (
        <ol className="citations" aria-label="Citations">
          {citations.map((c) => (
            <li key={c.marker} id={`${id}-${c.marker}`}>
              <span>[{c.marker}]</span>
              <span>
                <cite>{c.documentTitle}</cite>{c.pageStart && `, p. ${c.pageStart}`}
                <q>{c.quote}</q>
              </span>
            </li>
          ))}
        </ol>
      )}
      {remarks(message).map((words) => <p key={words} className="hint">{words}</p>)}
      {error && <p className="error">{whyNot(error)}</p>}
      {status === 'STOPPED' && <p className="hint">Stopped.</p>}
      {(stop || hint || (again && error?.retryable)) && (
        <div className="after">
          {hint && <span className="hint">{hint}</span>}
          {stop && <button className="link" onClick={stop}>Stop</button>}
          {again && error?.retryable && <button className="link" onClick={again}>Try again</button>}
        </div>
      )}
    </li>
  );
}

/** Makes the markers of citations, such as [1], links to them. The text stays as it is. */
function withMarkers(text: string, id: string, citations: Cited[]): ReactNode {
  return text.split(/(\[\d+\])/).map((part, i) => {
    const cited = citations.find((c) => part === `[${c.marker}]`);
    return cited ? <a key={i} className="marker" href={`#${id}-${cited.marker}`}>{part}</a> : part;
  });
}

/** What a running answer is at, in words. */
export const stageHint: Record<string, string> = { PENDING: 'Waiting for its turn', RETRIEVING: 'Looking into the documents' };

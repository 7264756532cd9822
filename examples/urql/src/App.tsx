import { useMemo, useState, useSyncExternalStore } from 'react';
import { Provider, useMutation, useQuery } from 'urql';
import * as session from '../../shared/session.js';
import { FirstBot, SignIn, Top, type Credentials } from '../../shared/ui';
import { done, makeClient } from './client';
import { Conversation } from './Conversation';
import { Library } from './Library';
import { graphql } from './gql';

const SignUp = graphql(`
  mutation SignUp($input: RegisterUserInput!) {
    payload: registerUser(input: $input) { accessToken accessTokenExpiresAt refreshToken deviceToken errors { message } }
  }
`);
const LogIn = graphql(`
  mutation LogIn($input: LogInInput!) {
    payload: logIn(input: $input) { accessToken accessTokenExpiresAt refreshToken deviceToken errors { message } }
  }
`);
const LogOut = graphql(`mutation LogOut { logOut { loggedOut } }`);
const CreateBot = graphql(`
  mutation CreateBot($input: CreateBotInput!) {
    payload: createBot(input: $input) { bot { id name } errors { message } }
  }
`);
const Home = graphql(`query Home { viewer { id name bots(first: 1) { nodes { __typename id name } } } }`);

/** A client for each session: nothing of one person is left for the next. */
export function App() {
  const signedIn = useSyncExternalStore(session.onChange, session.signedIn);
  const client = useMemo(makeClient, [signedIn]);
  return <Provider value={client}>{signedIn ? <Workspace /> : <Door />}</Provider>;
}

function Door() {
  const [, signUp] = useMutation(SignUp);
  const [, logIn] = useMutation(LogIn);
  return (
    <SignIn
      signUp={async (input: Credentials) => session.begin(done(await signUp({ input })))}
      logIn={async ({ email, password }) => session.begin(done(await logIn({ input: { email, password, deviceToken: session.deviceToken() } })))}
    />
  );
}

function Workspace() {
  const [{ data, error }, reload] = useQuery({ query: Home });
  const [, logOut] = useMutation(LogOut);
  const [, createBot] = useMutation(CreateBot);
  const [leaving, setLeaving] = useState(false);

  const signOut = async () => {
    setLeaving(true); // subscriptions end before their session does
    await logOut({}); // a session that cannot be ended now ends by itself
    session.end();
  };
  const create = async (name: string) => {
    done(await createBot({ input: { name } }));
    reload({ requestPolicy: 'network-only' }); // the cache knows types, and there was no Bot in an empty list
  };

  if (leaving) return null;
  if (error) return <p className="card error" role="alert">{error.graphQLErrors[0]?.message ?? 'The server cannot be reached.'}</p>;
  if (!data) return <p className="card hint">Loading…</p>;
  const bot = data.viewer?.bots.nodes[0];
  if (!bot) return <FirstBot create={create} />;
  return (
    <main className="workspace">
      <Top title={bot.name} signOut={signOut} />
      <Library botId={bot.id} />
      <Conversation botId={bot.id} />
    </main>
  );
}

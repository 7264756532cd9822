import { useApolloClient, useMutation, useQuery } from '@apollo/client/react';
import { useState, useSyncExternalStore } from 'react';
import * as session from '../../shared/session.js';
import { FirstBot, SignIn, Top, type Credentials } from '../../shared/ui';
import { done } from './client';
import { Conversation } from './Conversation';
import { Library } from './Library';
import { graphql } from './gql';

const SignUp = graphql(`
  mutation SignUp($input: RegisterUserInput!) {
    registerUser(input: $input) { accessToken accessTokenExpiresAt refreshToken deviceToken errors { message } }
  }
`);
const LogIn = graphql(`
  mutation LogIn($input: LogInInput!) {
    logIn(input: $input) { accessToken accessTokenExpiresAt refreshToken deviceToken errors { message } }
  }
`);
const LogOut = graphql(`mutation LogOut { logOut { loggedOut } }`);
const CreateBot = graphql(`
  mutation CreateBot($input: CreateBotInput!) {
    createBot(input: $input) { bot { id name } errors { message } }
  }
`);
const Home = graphql(`query Home { viewer { id name bots(first: 1) { nodes { id name } } } }`);

export function App() {
  const signedIn = useSyncExternalStore(session.onChange, session.signedIn);
  return signedIn ? <Workspace /> : <Door />;
}

function Door() {
  const [signUp] = useMutation(SignUp);
  const [logIn] = useMutation(LogIn);
  return (
    <SignIn
      signUp={async (input: Credentials) => session.begin(done((await signUp({ variables: { input } })).data?.registerUser))}
      logIn={async ({ email, password }) => session.begin(done((await logIn({ variables: { input: { email, password, deviceToken: session.deviceToken() } } })).data?.logIn))}
    />
  );
}

function Workspace() {
  const client = useApolloClient();
  const { data, error } = useQuery(Home);
  const [logOut] = useMutation(LogOut);
  const [createBot] = useMutation(CreateBot, { refetchQueries: [Home], awaitRefetchQueries: true });
  const [leaving, setLeaving] = useState(false);

  const signOut = async () => {
    setLeaving(true); // subscriptions end before their session does
    await logOut().catch(() => {}); // a session that cannot be ended now ends by itself
    session.end();
    await client.clearStore(); // nothing of one person is left for the next
  };

  if (leaving) return null;
  if (error) return <p className="card error" role="alert">{error.message}</p>;
  if (!data) return <p className="card hint">Loading…</p>;
  const bot = data.viewer?.bots.nodes[0];
  if (!bot) return <FirstBot create={async (name) => void done((await createBot({ variables: { input: { name } } })).data?.createBot)} />;
  return (
    <main className="workspace">
      <Top title={bot.name} signOut={signOut} />
      <Library botId={bot.id} />
      <Conversation botId={bot.id} />
    </main>
  );
}

import { useState } from 'react';

import { call } from './api.js';

/** Signing up, which also logs in, and logging in. */
export function Account({ session, onSession, onLeave }) {
  if (session) {
    return (
      <>
        <p>You are logged in as {session.name} ({session.email}).</p>
        <button onClick={onLeave}>Log out</button>
      </>
    );
  }
  const enter = async ({ email, password }) => {
    const { token } = await call('POST', '/sessions', { body: { email, password } });
    const me = await call('GET', '/me', { token });
    onSession({ token, name: me.name, email: me.email });
    window.location.hash = '#/';
  };
  const signUp = async ({ email, password, name }) => {
    await call('POST', '/users', { body: { email, password, name } });
    await enter({ email, password });
  };
  return (
    <div className="forms">
      <Form title="Sign up" onSubmit={signUp} fresh />
      <Form title="Log in" onSubmit={enter} />
    </div>
  );
}

function Form({ title, onSubmit, fresh = false }) {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState('');
  const id = fresh ? 'sign-up' : 'log-in';

  async function submit(event) {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.currentTarget));
    setBusy(true);
    setTrouble('');
    try {
      await onSubmit(given);
    } catch (error) {
      setTrouble(error.message);
    } finally {
      setBusy(false);
    }
  }

  return (
    <form onSubmit={submit} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {fresh && (
        <label>Name <input name="name" required maxLength={100} autoComplete="name" /></label>
      )}
      <label>Email <input name="email" type="email" required maxLength={254} autoComplete="email" /></label>
      <label>
        Password
        <input
          name="password" type="password" required minLength={fresh ? 8 : undefined} maxLength={72}
          autoComplete={fresh ? 'new-password' : 'current-password'}
          aria-describedby={fresh ? `${id}-rule` : undefined}
        />
      </label>
      {fresh && <p id={`${id}-rule`} className="hint">At least 8 characters.</p>}
      {trouble && <p role="alert" className="trouble">{trouble}</p>}
      <button disabled={busy} aria-busy={busy}>{title}</button>
    </form>
  );
}

// What an application does with Realtime, one check after the other, with whatever client it is given.
// Runs under Node and in a browser alike; `ask` reaches the test, which owns the database and the endpoint.

const WAIT_MS = 15_000;

export async function runMatrix({ connect, topic, table, ask, report }) {
  const checks = { joins, broadcasts, databaseBroadcast, httpBroadcast, presence, changes, refresh, replay, restart };
  for (const [name, check] of Object.entries(checks)) {
    try {
      const note = await check({ connect, topic, table, ask });
      await report({ check: name, ok: true, note: note ?? "" });
    } catch (error) {
      await report({ check: name, ok: false, note: String(error?.message ?? error) });
    }
  }
  await report({ done: true });
}

async function joins({ connect, topic }) {
  const client = await connect();
  const open = await subscribe(client.channel("lobby"));
  await subscribe(client.channel(topic, { config: { private: true } }));
  const refused = client.channel("somebody-elses", { config: { private: true } });
  const [status, error] = await outcome(refused);
  expect(status === "CHANNEL_ERROR", `a private topic without a policy said ${status}`);
  expect(/Unauthorized/.test(error?.message ?? ""), `refused with ${error?.message}`);
  await client.leave(refused);
  await client.leave(open);
  await client.end();
}

async function broadcasts({ connect, topic }) {
  for (const config of [{}, { private: true }]) {
    const name = config.private ? topic : "room";
    const [first, second] = [await connect(), await connect()];
    const loud = first.channel(name, { config: { ...config, broadcast: { self: true, ack: true } } });
    const quiet = second.channel(name, { config: { ...config, broadcast: { self: false } } });
    const [heardByLoud, heardByQuiet] = [collect(loud, "greeting"), collect(quiet, "greeting")];
    await subscribe(loud);
    await subscribe(quiet);
    expect((await loud.send({ type: "broadcast", event: "greeting", payload: { from: "loud", é: "😀" } })) === "ok", "no ack");
    await quiet.send({ type: "broadcast", event: "greeting", payload: { from: "quiet" } });
    await until(() => heardByLoud.length === 2 && heardByQuiet.length === 1, "broadcasts between two clients");
    expect(heardByQuiet[0].payload.é === "😀", "the payload changed on its way");
    await first.end();
    await second.end();
  }
}

async function databaseBroadcast({ connect, topic, ask }) {
  const client = await connect();
  const channel = client.channel(topic, { config: { private: true } });
  const heard = collect(channel, "from-database");
  await subscribe(channel);
  for (let number = 0; number < 20; number += 1) {
    await ask({ sql: "select realtime.send(%s::jsonb, 'from-database', %s, true)", values: [JSON.stringify({ number }), topic] });
  }
  await until(() => heard.length === 20, "rows written by realtime.send");
  expect(heard.every((message, number) => message.payload.number === number), "out of order");
  expect(heard.every((message) => message.payload.id), "realtime.send gives every payload an id");
  await client.end();
}

async function httpBroadcast({ connect, topic, ask }) {
  const client = await connect();
  const channel = client.channel(topic, { config: { private: true } });
  const heard = collect(channel, "over-http");
  await subscribe(channel);
  await ask({ http: { messages: [{ topic, event: "over-http", payload: { number: 0 }, private: true, id: "m0" }] } });
  let note = "no httpSend in this version";
  if (channel.httpSend) {
    const answer = await channel.httpSend("over-http", { number: 1 });
    expect(answer.success, `httpSend: ${JSON.stringify(answer)}`);
    note = "httpSend";
  }
  await until(() => heard.length === (channel.httpSend ? 2 : 1), "broadcasts over HTTP");
  await client.end();
  return note;
}

async function presence({ connect }) {
  const [first, second] = [await connect(), await connect()];
  const here = first.channel("people", { config: { presence: { key: "first" } } });
  const there = second.channel("people", { config: { presence: { key: "second" } } });
  const seen = [];
  here.on("presence", { event: "sync" }, () => seen.push("sync"));
  here.on("presence", { event: "join" }, ({ key }) => seen.push(`join ${key}`));
  here.on("presence", { event: "leave" }, ({ key }) => seen.push(`leave ${key}`));
  there.on("presence", { event: "sync" }, () => {});
  await subscribe(here);
  await here.track({ mood: "calm" });
  await subscribe(there);
  await there.track({ mood: "new" });
  await until(() => here.presenceState().second && there.presenceState().first, "both in the state of both");
  await there.track({ mood: "changed" });
  await until(() => here.presenceState().second?.[0]?.mood === "changed", "an update of presence");
  await there.untrack();
  await until(() => !here.presenceState().second, "an untrack");
  await there.track({ mood: "back" });
  await until(() => here.presenceState().second, "tracked again");
  await second.end();
  await until(() => !here.presenceState().second, "a disconnect");
  expect(seen.includes("sync") && seen.includes("join second") && seen.includes("leave second"), seen.join());
  await first.end();
}

async function changes({ connect, table, ask }) {
  const client = await connect();
  const events = [];
  const filtered = { schema: "public", table, filter: "label=eq.wanted" };
  const channel = client
    .channel("table")
    .on("postgres_changes", { event: "INSERT", ...filtered }, (change) => events.push(["INSERT", change.new.label]))
    .on("postgres_changes", { event: "UPDATE", schema: "public", table }, (change) => events.push(["UPDATE", change.new.label]))
    .on("postgres_changes", { event: "DELETE", schema: "public", table }, (change) => events.push(["DELETE", change.old.id]));
  let live = false;
  channel.on("system", {}, (message) => { live ||= message.extension === "postgres_changes" && message.status === "ok"; });
  await subscribe(channel);
  await until(() => live, "the subscription to be live");
  await ask({ sql: `insert into public.${table} (id, label) values (1, 'other'), (2, 'wanted')`, values: [] });
  await ask({ sql: `update public.${table} set label = 'changed' where id = 2`, values: [] });
  await ask({ sql: `delete from public.${table} where id = 2`, values: [] });
  await ask({ sql: `delete from public.${table} where id = 1`, values: [] });
  await until(() => events.length === 4, `four changes, got ${JSON.stringify(events)}`);
  expect(JSON.stringify(events) === '[["INSERT","wanted"],["UPDATE","changed"],["DELETE",2],["DELETE",1]]', JSON.stringify(events));
  await client.end();
}

async function refresh({ connect, topic, ask }) {
  const client = await connect();
  const channel = client.channel(topic, { config: { private: true, broadcast: { self: true, ack: true } } });
  const heard = collect(channel, "after-refresh");
  await subscribe(channel);
  await client.setAuth((await ask({ token: true })).token);
  expect((await channel.send({ type: "broadcast", event: "after-refresh", payload: {} })) === "ok", "no ack after a refresh");
  await until(() => heard.length === 1, "a message after a token refresh");
  await client.end();
}

async function replay({ connect, topic, ask }) {
  const since = Date.now();
  await ask({ sql: "select realtime.send('{\"missed\": true}'::jsonb, 'missed', %s, true)", values: [topic] });
  const client = await connect();
  const channel = client.channel(topic, { config: { private: true, broadcast: { replay: { since, limit: 10 } } } });
  const heard = collect(channel, "missed");
  await subscribe(channel);
  await until(() => heard.length === 1, "the replay of a missed message");
  expect(heard[0].meta?.replayed === true, `not marked as replayed: ${JSON.stringify(heard[0])}`);
  await client.end();
}

async function restart({ connect, topic, ask }) {
  const client = await connect();
  const channel = client.channel(topic, { config: { private: true } });
  const heard = collect(channel, "after-restart");
  await subscribe(channel);
  await ask({ restart: true });
  const deadline = Date.now() + 40_000;
  while (heard.length === 0 && Date.now() < deadline) {
    await ask({ http: { messages: [{ topic, event: "after-restart", payload: {}, private: true }] } });
    await pause(300);
  }
  expect(heard.length > 0, "nothing heard after a restart of the endpoint");
  await client.end();
}

function collect(channel, event) {
  const heard = [];
  channel.on("broadcast", { event }, (message) => heard.push(message));
  return heard;
}

async function subscribe(channel) {
  const [status, error] = await outcome(channel);
  expect(status === "SUBSCRIBED", `${channel.topic} said ${status} ${error?.message ?? ""}`);
  return channel;
}

function outcome(channel) {
  return new Promise((resolve) => {
    channel.subscribe((status, error) => resolve([status, error]), WAIT_MS);
  });
}

async function until(condition, what) {
  const deadline = Date.now() + WAIT_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await pause(10);
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

// One shape for both libraries.

export function connector({ supabase, realtime, url, key, token }) {
  return async () => {
    if (supabase) {
      let current = token; // a token of somebody else's making: supabase-js asks for it whenever it needs one
      const client = supabase(url, key, { accessToken: async () => current });
      await client.realtime.setAuth();
      return {
        channel: (name, options) => client.channel(name, options),
        setAuth: (fresh) => { current = fresh; return client.realtime.setAuth(); },
        leave: (channel) => client.removeChannel(channel),
        end: async () => { await client.removeAllChannels(); await client.realtime.disconnect(); },
      };
    }
    const client = new realtime(`${url.replace("http", "ws")}/realtime/v1`, { params: { apikey: key } });
    client.connect();
    await client.setAuth(token);
    return {
      channel: (name, options) => client.channel(name, options),
      setAuth: (fresh) => client.setAuth(fresh),
      leave: (channel) => client.removeChannel(channel),
      end: async () => { await client.removeAllChannels(); await client.disconnect(); },
    };
  };
}

export async function signIn({ supabase, url, key, email, report }) {
  try {
    const client = supabase(url, key, { auth: { persistSession: false, autoRefreshToken: false } });
    const password = "correct horse";
    const up = await client.auth.signUp({ email, password, options: { data: { name: "Demo" } } });
    expect(!up.error && up.data.session, `signUp: ${up.error?.message}`);
    await client.auth.signOut();
    const wrong = await client.auth.signInWithPassword({ email, password: "wrong" });
    expect(wrong.error?.code === "invalid_credentials", `wrong password: ${wrong.error?.code}`);
    const signed = await client.auth.signInWithPassword({ email, password });
    expect(!signed.error, `signIn: ${signed.error?.message}`);
    const fresh = await client.auth.refreshSession();
    expect(fresh.data.session?.access_token, `refresh: ${fresh.error?.message}`);
    const { data } = await client.auth.getUser();
    expect(data.user?.email === email && data.user.user_metadata.name === "Demo", JSON.stringify(data));
    const claims = await client.auth.getClaims?.();
    expect(!claims || claims.data?.claims.sub === data.user.id, JSON.stringify(claims));
    await report({ check: "auth", ok: true, note: "" });
  } catch (error) {
    await report({ check: "auth", ok: false, note: String(error?.message ?? error) });
  }
}

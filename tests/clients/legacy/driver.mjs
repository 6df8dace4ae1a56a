// Official socket.io-client, driven by JSON lines on stdin; everything that happens to a socket is a JSON line on stdout.
// In:  {do: "open", socket, url, options, subscribe: [id], mute, only: event, version} (subscribes on every connect, as old clients do)
//      {do: "storm", socket, event, args} (again with every answer) · {do: "emit", socket, event, args, ack} · {do: "cut", socket} · {do: "close", socket}
// Out: {socket, is: "connect"|"connect_error"|"disconnect"|"event"|"ack"|"transport"|"opened"|…, …}
import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import io2 from "socket.io-client-2";
import { io as io3 } from "socket.io-client-3";

const lookups = { 2: io2, 3: io3, 4: io };

const sockets = new Map();
const say = (socket, is, more = {}) => process.stdout.write(JSON.stringify({ socket, is, ...more }) + "\n");

function open({ socket: name, url, options, subscribe = [], mute = false, only, version = 4 }) {
  const socket = lookups[version](url, { path: "/api/ws", forceNew: true, reconnectionDelay: 50, randomizationFactor: 0, ...options });
  sockets.set(name, socket);
  socket.io.on("open", () => {
    say(name, "open", { transport: socket.io.engine.transport.name });
    socket.io.engine.on("upgrade", (transport) => say(name, "upgrade", { transport: transport.name }));
  });
  socket.io.on("close", (reason) => say(name, "engine_close", { reason }));
  socket.on("connect", () => {
    for (const id of subscribe) socket.emit("subscribe:conversation", id);
    say(name, "connect", { id: socket.id, transport: socket.io.engine.transport.name });
  });
  socket.on("connect_error", (error) => say(name, "connect_error", { message: error.message, data: error.data ?? null }));
  socket.on("disconnect", (reason) => say(name, "disconnect", { reason }));
  if (version === 2) socket.on("error", (message) => say(name, "error", { message }));
  else if (!mute) socket.onAny((event, ...args) => (only ?? event) === event && say(name, "event", { event, args, at: Date.now() }));
}

const commands = {
  open,
  emit({ socket, event, args = [], ack }) {
    const answer = ack === undefined ? [] : [(...values) => say(socket, "ack", { ack, args: values })];
    sockets.get(socket).emit(event, ...args, ...answer);
  },
  storm({ socket, event, args = [] }) {
    const again = () => sockets.get(socket).emit(event, ...args, again);
    again();
  },
  cut: ({ socket }) => sockets.get(socket).io.engine.close(), // the transport only: the client reconnects
  close: ({ socket }) => sockets.get(socket).disconnect(),
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  })
  .on("close", () => process.exit(0));
say(null, "ready");

// Answers every request with a greeting, as a server in a browser's service worker would.

addEventListener("fetch", (event) => {
  event.respondWith(new Response("Hello, World!\n", { headers: { "content-type": "text/plain" } }));
});

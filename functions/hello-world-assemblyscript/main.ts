// Greets the world, or whoever the environment variable `name` names.

const name = process.env.has("name") ? process.env.get("name") : "";
process.stdout.write(`Hello, ${name.length > 0 ? name : "World"}!\n`);

require("node:test").test("the build is there", () => require("fs").accessSync("dist/server.js"));

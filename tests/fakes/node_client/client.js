// A client that has nothing but the .proto files: it uploads a frame, submits a job, watches it and reads it back.
// node client.js ADDRESS PROTO_FOLDER, with the token in $VOID_TOKEN; prints one JSON line.

const crypto = require("crypto");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [address, folder] = process.argv.slice(2);
const files = ["frame_service", "job_service", "engine_service"].map((name) => `void_plugin/v1/${name}.proto`);
const definition = loader.loadSync(files, { includeDirs: [folder], keepCase: true, enums: String, longs: Number, oneofs: true, arrays: true });
const v1 = grpc.loadPackageDefinition(definition).void_plugin.v1;
const metadata = new grpc.Metadata();
metadata.set("authorization", `Bearer ${process.env.VOID_TOKEN}`);
const [frames, jobs, engines] = [v1.FrameService, v1.JobService, v1.EngineService].map(
  (Service) => new Service(address, grpc.credentials.createInsecure()),
);

const call = (client, method, request) =>
  new Promise((resolve, reject) =>
    client[method](request, metadata, (error, response) => (error ? reject(error) : resolve(response))),
  );

function upload(digest, data) {
  return new Promise((resolve, reject) => {
    const stream = frames.UploadFrame(metadata, (error, response) => (error ? reject(error) : resolve(response)));
    stream.write({ header: digest });
    for (let offset = 0; offset < data.length; offset += 1 << 20) {
      stream.write({ chunk: { offset, data: data.subarray(offset, offset + (1 << 20)) } });
    }
    stream.end();
  });
}

function collect(stream, pick) {
  return new Promise((resolve, reject) => {
    const found = [];
    stream.on("data", (message) => found.push(pick(message)));
    stream.on("end", () => resolve(found));
    stream.on("error", reject);
  });
}

// The reason of a google.rpc.ErrorInfo, read by hand as a foreign program may have to: the field after its type name.
function reasonOf(error) {
  const details = error.metadata.get("grpc-status-details-bin")[0].toString("latin1");
  return /google\.rpc\.ErrorInfo\x12[\s\S]\n[\s\S]([a-z_.]+)\x12/.exec(details)[1];
}

async function main() {
  const told = {};
  told.engines = (await call(engines, "ListEngines", {})).engines.filter((one) => one.available).map((one) => one.name);
  const data = Buffer.concat([Buffer.from([0x76, 0x2f, 0x31, 0x01]), crypto.randomBytes(3 << 20)]);
  const digest = { sha256: crypto.createHash("sha256").update(data).digest("hex"), size_bytes: data.length };
  told.missing_before = (await call(frames, "FindMissingFrames", { digests: [digest] })).missing.length;
  await upload(digest, data);
  told.missing_after = (await call(frames, "FindMissingFrames", { digests: [digest] })).missing.length;
  const back = await collect(frames.DownloadFrame({ digest }, metadata), (message) => message.chunk.data);
  told.same_bytes = Buffer.concat(back).equals(data);
  const submitted = await call(jobs, "SubmitJob", {
    request_id: "from-node",
    request: {
      plate: { pattern: "plate.%04d.exr" },
      object_matte: { pattern: "matte.%04d.exr" },
      outputs: [{ kind: "patch", pattern: "result.%04d.exr" }],
      frames: { first: 1, last: 1 },
    },
    uploads: {
      frames: [
        { input: "INPUT_KIND_PLATE", frame: 1, digest },
        { input: "INPUT_KIND_OBJECT_MATTE", frame: 1, digest },
      ],
    },
  });
  const watched = jobs.WatchJob({ job_id: submitted.job.job_id, after_event: 0 }, metadata);
  told.events = await collect(watched, (message) => message.event.kind);
  try {
    await call(jobs, "GetJob", { job_id: "0".repeat(32) });
  } catch (error) {
    told.refusal = { code: error.code, reason: reasonOf(error) };
  }
  console.log(JSON.stringify(told));
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

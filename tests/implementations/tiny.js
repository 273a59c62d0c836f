// The least that `pagelaw conform` can talk to: VMs, frames on demand, reads and writes. Nothing is ever given back.
//
//     pagelaw smoke -- node tiny.js

const lines = require("readline").createInterface({ input: process.stdin });
let frames = 0; // frames of the machine
let used = 0; // how many are in use
let vms = {}; // by name: whether it runs, and its pages that have a frame

const operations = {
  power_on(vm) {
    if (vm.runs) return { refused: "VM_NOT_OFF" };
    const others = Object.values(vms).filter((one) => one.runs);
    if (others.reduce((sum, one) => sum + one.minimum, vm.minimum) > frames) return { refused: "NO_MEMORY_TO_RESERVE" };
    vm.runs = true;
    return {};
  },
  read(vm, event) {
    const page = touched(vm, event.page);
    return page.refused ? page : { got: page.words[event.word] ?? 0, saw: seen(event, page) };
  },
  write(vm, event) {
    const page = touched(vm, event.page);
    if (page.refused) return page;
    page.words[event.word] = event.value;
    return { saw: seen(event, page) };
  },
};

function touched(vm, number) {
  if (!vm.runs) return { refused: "VM_NOT_RUNNING" };
  if (!vm.pages[number]) {
    if (used === frames) return { refused: "NO_FREE_FRAME" };
    vm.pages[number] = { frame: used++, words: {} };
  }
  return vm.pages[number];
}

function seen(event, page) {
  return [{ vm: event.vm, page: event.page, frame: page.frame }, { free_frames: frames - used }];
}

function answer(message) {
  if (message.cmd === "start") {
    // There is no swap area, and enough of it that every VM can be admitted. Numbers beyond 2^53 would lose digits.
    const largest = Number.MAX_SAFE_INTEGER;
    return { pagelaw: 1, system: "tiny.js", operations: Object.keys(operations), machine: { slots: 1000 }, largest };
  }
  if (message.cmd === "reset") {
    const { low, vms: given } = message.machine;
    if (low || given.some((vm) => vm.overhead)) return { unsupported: true }; // it knows of neither
    frames = message.machine.frames;
    used = 0;
    vms = {};
    for (const { name, minimum = 0 } of given) vms[name] = { runs: false, minimum, pages: {} };
  }
  if (message.cmd === "do") return operations[message.do](vms[message.vm], message);
  return {};
}

lines.on("line", (line) => {
  const message = JSON.parse(line);
  console.log(JSON.stringify({ seq: message.seq, ...answer(message) }));
  if (message.cmd === "stop") process.exit(0);
});

"""Processes and their states: what `proc.*`, `user.*`, `thread.*`, `container.*` show.

In: descriptions of thread states, programs and control groups, in the order in which the kernel
    made them. Out: `proc.key` for a state at a place in the stream, and the table of the states
    behind keys. A loop for each state, none for each event.

A key stands for what a rule can see of a process, ancestors included. A state gets a further key
when an ancestor changes (it executes another program or dies), so the ancestors of an event are
those of its time; events before the change keep the old key.
"""

from bisect import bisect_right

import numpy as np

from falcotrace.capture.distinct import distinct
from falcotrace.capture.text_pool import MISSING, TextPool
from falcotrace.record.states import (
    NO_IMAGE,
    Face,
    Identity,
    Image,
    Life,
    ProcessRow,
    State,
    face_of,
)

ANCESTOR_LIMIT = 64
"""No chain of ancestors is followed further; a loop cannot hang the recorder."""

UNKNOWN_KEY = 0
"""`proc.key` of events whose state was never described: all their process columns are null."""


class Processes:
    """All processes of a recording."""

    def __init__(self) -> None:
        self.images: dict[int, Image] = {0: NO_IMAGE}
        self.cgroups: dict[int, tuple[str, ...]] = {}
        self.rows: dict[int, ProcessRow] = {}
        self.states: dict[int, State] = {}
        self._lives: dict[Identity, Life] = {}
        self._by_pid: dict[int, Identity] = {}
        self._names: dict[int, tuple[list[int], list[str]]] = {}
        self._keys: dict[object, int] = {}
        self._signatures: dict[int, object] = {}
        self._last_key = 0
        self._first_key = np.zeros(1024, np.int64)
        self._later: dict[int, tuple[list[int], list[int]]] = {}
        self._ended: list[tuple[State, bool]] = []
        self._superseded: list[int] = []
        self._lasting_images = {0}
        self._last_image_id = 0

    @property
    def last_key(self) -> int:
        """The greatest key that was given; may be set before the first one is."""
        return self._last_key

    @last_key.setter
    def last_key(self, key: int) -> None:
        """Go on behind a key that another converter gave."""
        self._last_key = key

    def add_state(self, state: State, position: int) -> None:
        """Take in a new state of a thread.

        Args:
            state: the state.
            position: where in the stream it stands; events behind it may name it.
        """
        self.states[state.process_id] = state
        life = self._lives.get(state.identity)
        if life is None:
            life = Life(state.identity, face_of(state), state.parent)
            self._lives[state.identity] = life
            self._by_pid[state.identity[0]] = state.identity
            self._adopt(life)
            if not self._is_inherited(state):
                # Described for want of a parent that was seen to fork, as the recorder's children
                # are; the kernel side may name it again for the next one.
                self._lasting_images.add(state.image_id)
        before = life.threads.get(state["tid"])
        if before is not None and before.process_id != state.process_id:
            self._superseded.append(before.process_id)
        life.threads[state["tid"]] = state
        if state.parent != life.parent:
            self._disown(life)
            life.parent = state.parent
            self._adopt(life)
        is_leader = state["tid"] == state["pid"]
        face = face_of(state)
        changed = is_leader and face != life.face
        if changed:
            life.face = face
        self._note_name(life, position)
        self._set_key(state, position)
        if changed:
            self._renew_descendants(life, position)

    def end_thread(self, process_id: int, *, group_dead: bool) -> None:
        """Note the end of a thread; it is forgotten after `forget_ended`."""
        state = self.states.get(process_id)
        if state is not None:
            self._ended.append((state, group_dead))

    def forget_ended(self) -> None:
        """Drop what no event that is still to come can name; call it after each block.

        These are threads that ended, states that a later one of the same thread replaced, and what
        only they referred to.
        """
        for process_id in self._superseded:
            self._drop_state(process_id)
        for state, group_dead in self._ended:
            self._drop_state(state.process_id)
            life = self._lives.get(state.identity)
            if life is not None:
                life.threads.pop(state["tid"], None)
            if group_dead and life is not None:
                self._drop_life(life)
        self._superseded.clear()
        self._ended.clear()
        for positions, names in self._names.values():
            del positions[:-1]
            del names[:-1]
        self._drop_unused()

    def _drop_state(self, process_id: int) -> None:
        self.states.pop(process_id, None)
        self._later.pop(process_id, None)

    def _drop_life(self, life: Life) -> None:
        for state in life.threads.values():
            self._drop_state(state.process_id)
        self._disown(life)
        del self._lives[life.identity]
        pid = life.identity[0]
        if self._by_pid.get(pid) == life.identity:
            del self._by_pid[pid]
            self._names.pop(pid, None)

    def _drop_unused(self) -> None:
        used_keys = {self._key_now(process_id) for process_id in self.states}
        for key in self.rows.keys() - used_keys:
            del self.rows[key]
            del self._keys[self._signatures.pop(key)]
        # A program that was described last may be named only by the next block.
        used_images = {state.image_id for state in self.states.values()}
        for image_id in self.images.keys() - used_images - self._lasting_images:
            if image_id <= self._last_image_id:
                del self.images[image_id]
        self._last_image_id = max(self.images)

    def _key_now(self, process_id: int) -> int:
        later = self._later.get(process_id)
        return later[1][-1] if later else int(self._first_key[process_id])

    def keys_at(self, process_ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """`proc.key` of events: 0 where nothing is known of the state.

        Args:
            process_ids: the state that each event names.
            positions: where in the stream each event stands.
        """
        known = process_ids < len(self._first_key)
        keys = np.where(known, self._first_key[np.where(known, process_ids, 0)], 0)
        if self._later:
            several = np.fromiter(self._later, np.uint64, len(self._later))
            for process_id in np.intersect1d(process_ids, several).tolist():
                starts, later = self._later[process_id]
                rows = np.flatnonzero(process_ids == process_id)
                version = np.searchsorted(starts, positions[rows], side="right")
                keys[rows] = np.array([keys[rows[0]], *later])[version]
        found, indices = distinct(keys)
        # Nothing is written about a state that is forgotten already, whoever should name it.
        kept = np.array([key if key in self.rows else UNKNOWN_KEY for key in found.tolist()])
        return kept[indices] if len(kept) else keys

    def names_at(self, pids: np.ndarray, positions: np.ndarray, pool: TextPool) -> np.ndarray:
        """Codes of the names that processes had at places in the stream; MISSING for unknown ones.

        A process that is described only later, such as the child of a clone that has just returned,
        has the name with which it is described first.
        """
        found, indices = distinct(pids)
        codes = np.full(len(found), MISSING, np.int32)
        several: list[tuple[int, tuple[list[int], list[str]]]] = []
        for at, pid in enumerate(found.tolist()):
            history = self._names.get(pid)
            if history:
                codes[at] = pool.code(history[1][-1])
            if history and len(history[1]) > 1:
                several.append((at, history))
        names = codes[indices]
        for at, (starts, texts) in several:
            rows = np.flatnonzero(indices == at)
            version = np.searchsorted(starts, positions[rows], side="right") - 1
            names[rows] = pool.codes(texts)[np.maximum(version, 0)]
        return names

    def _note_name(self, life: Life, position: int) -> None:
        positions, names = self._names.setdefault(life.identity[0], ([], []))
        if not names or names[-1] != life.face.name:
            positions.append(position)
            names.append(life.face.name)

    def state_of_thread(self, tid: int) -> State | None:
        """The state of a thread by its number; asked rarely, for it looks through all of them."""
        found = [state for state in self.states.values() if state["tid"] == tid]
        return found[-1] if found else None

    def standard_files(self) -> set[int]:
        """Files behind descriptors 0, 1 and 2 of all threads."""
        return {number for state in self.states.values() for number in state.std_files}

    def face_of_pid(self, pid: int) -> Face | None:
        """The process that has this pid now."""
        identity = self._by_pid.get(pid)
        life = self._lives.get(identity) if identity else None
        return life.face if life else None

    def _is_inherited(self, state: State) -> bool:
        parent = self._lives.get(state.parent)
        images = {thread.image_id for thread in parent.threads.values()} if parent else set()
        return state.image_id in images

    def _adopt(self, life: Life) -> None:
        parent = self._lives.get(life.parent)
        if parent is not None:
            parent.children.add(life.identity)

    def _disown(self, life: Life) -> None:
        parent = self._lives.get(life.parent)
        if parent is not None:
            parent.children.discard(life.identity)

    def _renew_descendants(self, life: Life, position: int) -> None:
        pending = list(life.children)
        seen: set[Identity] = {life.identity}
        while pending:
            identity = pending.pop()
            child = self._lives.get(identity)
            if child is None or identity in seen:
                continue
            seen.add(identity)
            for state in child.threads.values():
                self._set_key(state, position)
            pending.extend(child.children)

    def _set_key(self, state: State, position: int) -> None:
        row = self._row(state)
        process_id = state.process_id
        if process_id >= len(self._first_key):
            grown = np.zeros(max(process_id + 1, 2 * len(self._first_key)), np.int64)
            grown[: len(self._first_key)] = self._first_key
            self._first_key = grown
        if not self._first_key[process_id]:
            self._first_key[process_id] = row.key
            return
        starts, later = self._later.setdefault(process_id, ([], []))
        place = bisect_right(starts, position)
        starts.insert(place, position)
        later.insert(place, row.key)

    def _row(self, state: State) -> ProcessRow:
        ancestors = self._ancestors(state)
        session = self._leader(state, state["vsid"], "sid", ancestors)
        vpgid = self._leader(state, state["vpgid"], "vpgid", ancestors)
        pgid_life = self.face_of_pid(state["pgid"])
        signature = (
            state.identity,
            state.parent,
            state.image_id,
            state.key_numbers,
            (state.comm, state.thread_comm, state.cwd, state.root, state.cgroups),
            (ancestors, session, vpgid, pgid_life),
        )
        key = self._keys.get(signature)
        if key is None:
            key = self._last_key = self._last_key + 1
            self._keys[signature] = key
            self._signatures[key] = signature
            self.rows[key] = ProcessRow(key, state, ancestors, session, vpgid, pgid_life)
        return self.rows[key]

    def _ancestors(self, state: State) -> tuple[Face, ...]:
        chain: list[Face] = []
        seen = {state.identity}
        identity = state.parent
        while len(chain) < ANCESTOR_LIMIT and identity not in seen:
            life = self._lives.get(identity)
            if life is None:
                break
            seen.add(identity)
            chain.append(life.face)
            identity = life.parent
        return tuple(chain)

    def _leader(
        self, state: State, number: int, member: str, ancestors: tuple[Face, ...]
    ) -> Face | None:
        """Who leads a session or group (FIELDS 2.5): by pid outside pid namespaces, else upward."""
        if state["tid"] == state["vtid"] and (face := self.face_of_pid(number)):
            return face
        leader = None
        for face in ancestors:
            if getattr(face, member) != number:
                break
            leader = face
        return leader

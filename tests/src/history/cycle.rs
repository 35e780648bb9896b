//! Whether a graph has a cycle, and then a short one.

use std::collections::{HashMap, VecDeque};

/// From one node to another, for some reason.
#[derive(Clone, Copy, Debug)]
pub struct Edge<W> {
    /// Who comes first.
    pub from: u32,
    /// Who comes later.
    pub to: u32,
    /// Why.
    pub why: W,
}

/// A graph whose last nodes are only stations: a way through them is one step.
pub struct Graph<W> {
    edges: Vec<Edge<W>>,
    /// Where the edges of each node begin.
    starts: Vec<u32>,
    /// The first node that is a station.
    stations: u32,
}

/// So many nodes are visited in search of a short cycle.
const VISITS_MAX: usize = 10_000_000;
/// No cycle is shorter: nobody comes before himself.
const STEPS_MIN: usize = 2;

impl<W: Copy> Graph<W> {
    /// A graph of `nodes`, of which those from `stations` on are stations.
    pub fn new(nodes: u32, stations: u32, edges: &[Edge<W>]) -> Self {
        let mut starts = vec![0; nodes as usize + 1];
        edges.iter().for_each(|edge| starts[edge.from as usize + 1] += 1);
        for node in 0..nodes as usize {
            starts[node + 1] += starts[node];
        }
        let mut free = starts.clone();
        let mut order = vec![0; edges.len()];
        for (index, edge) in edges.iter().enumerate() {
            let place = &mut free[edge.from as usize];
            order[*place as usize] = index;
            *place += 1;
        }
        Self { edges: order.into_iter().map(|index| edges[index]).collect(), starts, stations }
    }

    /// A cycle, the shortest that is found within bounds, and preferably one through the first of these nodes; none if there
    /// is none at all.
    pub fn cycle(&self, preferred: &[u32]) -> Option<Vec<Edge<W>>> {
        let mut core = vec![true; self.nodes()];
        self.leave_out_what_has_an_order(&mut core);
        if !core.contains(&true) {
            return None;
        }
        let reversed: Vec<Edge<W>> =
            self.edges.iter().map(|edge| Edge { from: edge.to, to: edge.from, why: edge.why }).collect();
        Self::new(self.nodes() as u32, self.stations, &reversed).leave_out_what_has_an_order(&mut core);
        let mut shortest = self.any_cycle(&core);
        let mut visits = VISITS_MAX;
        let mut limit = usize::MAX;
        for start in preferred.iter().copied().filter(|start| core[*start as usize]) {
            if visits == 0 || limit == STEPS_MIN {
                break;
            }
            if let Some(cycle) = self.cycle_through(start, &core, limit, &mut visits) {
                limit = self.steps(&cycle);
                shortest = cycle;
            }
        }
        Some(shortest)
    }

    fn out(&self, node: u32) -> &[Edge<W>] {
        &self.edges[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }

    fn nodes(&self) -> usize {
        self.starts.len() - 1
    }

    fn steps(&self, way: &[Edge<W>]) -> usize {
        way.iter().filter(|edge| edge.from < self.stations).count()
    }

    /// Takes away nodes that nobody left comes before, until there is none.
    fn leave_out_what_has_an_order(&self, core: &mut [bool]) {
        let mut before = vec![0_u32; self.nodes()];
        let inside = self.edges.iter().filter(|edge| core[edge.from as usize] && core[edge.to as usize]);
        inside.for_each(|edge| before[edge.to as usize] += 1);
        let nodes = 0..self.nodes() as u32;
        let mut ready: Vec<u32> =
            nodes.filter(|node| core[*node as usize] && before[*node as usize] == 0).collect();
        while let Some(node) = ready.pop() {
            core[node as usize] = false;
            for edge in self.out(node).iter().filter(|edge| core[edge.to as usize]) {
                before[edge.to as usize] -= 1;
                if before[edge.to as usize] == 0 {
                    ready.push(edge.to);
                }
            }
        }
    }

    /// Goes on from node to node of a core, each of which leads to another, until it is where it was.
    fn any_cycle(&self, core: &[bool]) -> Vec<Edge<W>> {
        let first = core.iter().position(|is_inside| *is_inside).expect("invariant: there is a core");
        let mut places: HashMap<u32, usize> = HashMap::new();
        let (mut node, mut way) = (first as u32, Vec::new());
        while !places.contains_key(&node) {
            places.insert(node, way.len());
            let next = self.out(node).iter().find(|edge| core[edge.to as usize]);
            let next = *next.expect("invariant: who leads nowhere was left out");
            way.push(next);
            node = next.to;
        }
        way.split_off(places[&node])
    }

    /// The shortest way from a node to itself with fewer steps than these.
    fn cycle_through(
        &self,
        start: u32,
        core: &[bool],
        fewer_than: usize,
        visits: &mut usize,
    ) -> Option<Vec<Edge<W>>> {
        let mut came_by: HashMap<u32, Edge<W>> = HashMap::new();
        // Ways and their steps; a step through a station costs nothing, so it is looked at first.
        let mut next: VecDeque<(Edge<W>, usize)> = self.out(start).iter().map(|edge| (*edge, 1)).collect();
        while let Some((edge, steps)) = next.pop_front() {
            let node = edge.to;
            if steps >= fewer_than || !core[node as usize] || came_by.contains_key(&node) {
                continue;
            }
            came_by.insert(node, edge);
            *visits = visits.checked_sub(1)?;
            if node == start {
                return Some(way_back(start, &came_by));
            }
            for edge in self.out(node) {
                match node >= self.stations {
                    true => next.push_front((*edge, steps)),
                    false => next.push_back((*edge, steps + 1)),
                }
            }
        }
        None
    }
}

fn way_back<W: Copy>(start: u32, came_by: &HashMap<u32, Edge<W>>) -> Vec<Edge<W>> {
    let mut way = Vec::new();
    let mut node = start;
    loop {
        let edge = came_by[&node];
        way.push(edge);
        node = edge.from;
        if node == start {
            way.reverse();
            return way;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycle(stations: u32, edges: &[(u32, u32)]) -> Option<Vec<(u32, u32)>> {
        let nodes = 1 + edges.iter().map(|(from, to)| *from.max(to)).max().unwrap_or(0);
        let edges: Vec<_> = edges.iter().map(|&(from, to)| Edge { from, to, why: () }).collect();
        let found =
            Graph::new(nodes, stations, &edges).cycle(&(0..stations.min(nodes)).collect::<Vec<_>>())?;
        Some(found.iter().map(|edge| (edge.from, edge.to)).collect())
    }

    #[test]
    fn what_has_an_order_has_no_cycle() {
        assert_eq!(cycle(9, &[(0, 1), (1, 2), (0, 2), (3, 1), (2, 8)]), None);
    }

    #[test]
    fn of_several_cycles_the_shortest_is_found() {
        let edges = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 2), (3, 4)];
        assert_eq!(cycle(9, &edges), Some(vec![(2, 3), (3, 2)]));
    }

    #[test]
    fn a_way_through_stations_is_one_step() {
        let edges = [(0, 4), (4, 5), (5, 6), (6, 1), (1, 0), (0, 2), (2, 3), (3, 0)];
        assert_eq!(cycle(4, &edges), Some(vec![(0, 4), (4, 5), (5, 6), (6, 1), (1, 0)]));
    }
}

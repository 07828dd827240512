//! From items that may be alike to groups of those that are.

use crate::collection::Item;
use rayon::prelude::*;

/// Leaders that an item of a bucket is compared with; so a bucket of any size costs no more than this many comparisons an item.
const MOST_LEADERS: usize = 32;

/// Items that are nearly the same as the first of them.
#[derive(Debug, Clone, PartialEq)]
pub struct NearGroup {
    /// The first item.
    pub leader: Item,
    /// The others, ascending, with their similarity to the first, up to 1.
    pub members: Vec<(Item, f32)>,
}

/// Pairs found alike, as a forest: every item points to one that is not after it.
#[derive(Debug)]
pub struct Forest {
    parents: Vec<Item>,
}

impl Forest {
    /// So many items, none alike.
    pub fn new(items: usize) -> Forest {
        Forest { parents: (0..items as Item).collect() }
    }

    fn root(&self, mut item: Item) -> Item {
        while self.parents[item as usize] != item {
            item = self.parents[item as usize];
        }
        item
    }

    fn join(&mut self, a: Item, b: Item) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }

    /// Compares the items of buckets, in parallel, and joins those that are alike. `load` gives what is compared of an item.
    pub fn add<T>(
        &mut self,
        buckets: &[Vec<Item>],
        load: impl Fn(Item) -> Option<T> + Sync,
        alike: impl Fn(&T, &T) -> bool + Sync,
    ) {
        let forest = &*self;
        let pairs: Vec<(Item, Item)> = buckets
            .par_iter()
            .flat_map_iter(|bucket| {
                let mut leaders: Vec<(Item, T)> = Vec::new();
                let mut found = Vec::new();
                // Where all of a bucket is joined already, nothing needs to be loaded.
                let first = forest.root(bucket[0]);
                if bucket.iter().all(|&item| forest.root(item) == first) {
                    return found;
                }
                for &item in bucket {
                    if leaders.iter().any(|&(leader, _)| forest.root(leader) == forest.root(item)) {
                        continue;
                    }
                    let Some(content) = load(item) else { continue };
                    match leaders.iter().find(|(_, leader)| alike(leader, &content)) {
                        Some(&(leader, _)) => found.push((leader, item)),
                        None if leaders.len() < MOST_LEADERS => leaders.push((item, content)),
                        None => {}
                    }
                }
                found
            })
            .collect();
        pairs.into_iter().for_each(|(a, b)| self.join(a, b));
        // Short ways to the roots, as the first parts of a path come before the later ones.
        for item in 0..self.parents.len() {
            self.parents[item] = self.parents[self.parents[item] as usize];
        }
    }

    /// Groups in which every member is alike to the leader itself, not only to another member; ascending by leader.
    pub fn groups<T>(
        &self,
        load: impl Fn(Item) -> Option<T> + Sync,
        similarity: impl Fn(&T, &T) -> Option<f32> + Sync,
    ) -> Vec<NearGroup> {
        let mut order: Vec<(Item, Item)> =
            (0..self.parents.len() as Item).map(|item| (self.root(item), item)).collect();
        order.par_sort_unstable();
        let trees: Vec<&[(Item, Item)]> = order.chunk_by(|a, b| a.0 == b.0).filter(|tree| tree.len() > 1).collect();
        let mut groups: Vec<NearGroup> = trees
            .par_iter()
            .flat_map_iter(|tree| {
                let mut groups: Vec<(NearGroup, T)> = Vec::new();
                for &(_, item) in *tree {
                    let Some(content) = load(item) else { continue };
                    let tried = groups.len().saturating_sub(MOST_LEADERS);
                    let like = groups[tried..]
                        .iter_mut()
                        .find_map(|(group, leader)| similarity(leader, &content).map(|similarity| (group, similarity)));
                    match like {
                        Some((group, similarity)) => group.members.push((item, similarity)),
                        None => groups.push((NearGroup { leader: item, members: Vec::new() }, content)),
                    }
                }
                groups.into_iter().map(|(group, _)| group).filter(|group| !group.members.is_empty())
            })
            .collect();
        groups.sort_unstable_by_key(|group| group.leader);
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [f32; 7] = [0.0, 10.0, 0.4, 0.8, 10.3, 50.0, 1.2];

    fn load(item: Item) -> Option<f32> {
        Some(VALUES[item as usize])
    }

    #[test]
    fn members_are_like_their_leader_and_not_only_linked_to_it() {
        let mut forest = Forest::new(VALUES.len());
        let alike = |a: &f32, b: &f32| (a - b).abs() <= 0.5;
        forest.add(&[vec![0, 1, 2, 5], vec![2, 3], vec![1, 4], vec![3, 6]], load, alike);
        let groups = forest.groups(load, |a, b| alike(a, b).then_some(1.0 - (a - b).abs()));
        let found: Vec<(Item, Vec<Item>)> =
            groups.iter().map(|g| (g.leader, g.members.iter().map(|m| m.0).collect())).collect();
        // 0.8 is like 0.4 and 0.4 like 0.0, yet 0.8 is not like 0.0: it leads a group of its own.
        assert_eq!(found, [(0, vec![2]), (1, vec![4]), (3, vec![6])]);
    }

    #[test]
    fn what_cannot_be_loaded_is_in_no_group() {
        let mut forest = Forest::new(3);
        forest.add(&[vec![0, 1, 2]], |item| (item != 1).then_some(()), |(), ()| true);
        let groups = forest.groups(|item| (item != 1).then_some(()), |(), ()| Some(1.0));
        assert_eq!(groups, [NearGroup { leader: 0, members: vec![(2, 1.0)] }]);
    }
}

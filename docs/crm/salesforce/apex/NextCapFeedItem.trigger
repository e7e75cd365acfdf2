trigger NextCapFeedItem on FeedItem (after insert) {
    Set<Id> posts = new Set<Id>();
    for (FeedItem one : Trigger.new) {
        Boolean isPost = one.Type == 'TextPost' || one.Type == 'ContentPost';
        if (isPost && one.ParentId.getSobjectType() == Case.SObjectType) {
            posts.add(one.Id);
        }
    }
    NextCapNotifier.tell('FeedItem', posts);
}
